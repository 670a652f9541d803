// Several methods on one dataset: same split, same seeds, same evaluation, paired differences.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "glint/study/arms.h"

namespace glint {

struct CompareOptions {
  std::vector<std::string> methods;
  int seeds = 3;
  std::filesystem::path models;  ///< folder of the trained models; a finished one is used again
  /// A fresh configuration of a method and seed, with the user's settings.
  std::function<std::unique_ptr<TrainConfig>(const std::string& method, int seed)> configure;
};

struct Comparison {
  std::vector<ArmResult> methods;
  std::vector<PairedDifference> differences;  ///< every pair of methods
};

/// Trains what is not there yet and evaluates everything. Resumable: an interrupted training goes on.
Comparison compare_methods(const Dataset& dataset, const CompareOptions& options, ProgressSink& progress);

/// compare.json
nlohmann::json comparison_json(const Comparison& comparison, const Dataset& dataset);
/// The tables, for the terminal.
std::string comparison_text(const Comparison& comparison);

}  // namespace glint
