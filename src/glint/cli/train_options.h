// Options that `train` and `compare` share: how a training configuration comes about from the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "glint/base/progress.h"
#include "glint/data/dataset.h"
#include "glint/fit/config.h"

namespace glint {

struct TrainArguments {
  std::string recipe = "refined", backbone = "compact", config, augment, device, align, textures;
  std::optional<double> false_reject;
  std::optional<int> shots;
  std::vector<std::string> set;
  nlohmann::json config_content;  ///< of `config` where that was read elsewhere; else null

  void add_to(CLI::App& verb, bool with_recipe = true);
  /// Recipe first, then the file, then the named options, then --set: the later wins. Settings of methods
  /// other than `method`, and textures that it does not use, are skipped when `skip_other_methods`.
  std::unique_ptr<TrainConfig> make(const std::string& method, std::optional<std::int64_t> seed,
                                    bool skip_other_methods = false) const;

  /// For a plan that other processes read: with the content of `config`, and folders and files by their whole
  /// paths.
  nlohmann::json to_json() const;
  static TrainArguments from_json(const nlohmann::json& settings);
};

/// Reads what a training starts from, without copies among the good images; says how many images `exclude` (a
/// file; empty = none) takes out, and passes the dataset's warnings on.
Dataset scan_training_data(const std::vector<std::string>& folders, const std::string& exclude,
                           const DatasetOptions& options, ProgressSink& progress);

}  // namespace glint
