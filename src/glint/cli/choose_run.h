// What `choose` and `train --method auto` share: the arguments of a choice, and its files.
#pragma once

#include <string>
#include <vector>

#include "glint/choose/choose.h"
#include "glint/cli/train_options.h"

namespace glint {

struct ChooseArguments {
  std::string budget = "15m", latency;
  std::vector<std::string> methods;

  /// --budget, --latency and --methods.
  void add_to(CLI::App& verb);
};

/// Chooses in the folder `out`, writes choose.html there and prints the ranking. `train`: the user's settings
/// for every candidate; those of other methods are skipped. Error(kConfig) for settings that a candidate
/// decides itself.
ChooseOutcome run_choice(const ChooseArguments& choose, const TrainArguments& train,
                         std::optional<std::int64_t> seed, const Dataset& dataset,
                         const std::filesystem::path& out, ProgressSink& progress);

}  // namespace glint
