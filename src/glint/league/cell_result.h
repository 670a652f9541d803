// What a computed cell leaves in the league's folder: everything that tables and paired comparisons need, so
// that whoever collects reads neither models nor data sets.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "glint/base/options.h"
#include "glint/league/plan.h"
#include "glint/study/arms.h"

namespace glint {

/// kRefused: the method does not take this data set or these settings, and never will. kFailed: something
/// went wrong that may go well another time.
enum class CellStatus { kDone, kRefused, kFailed };
template <>
struct EnumNames<CellStatus> {
  static constexpr std::pair<CellStatus, std::string_view> table[] = {
      {CellStatus::kDone, "done"}, {CellStatus::kRefused, "refused"}, {CellStatus::kFailed, "failed"}};
};

struct CellResult {
  std::string id;
  CellStatus status = CellStatus::kDone;
  std::string reason;       ///< of a refusal or failure
  std::string worker;       ///< who computed it, claim.h's worker_name
  int generation = 1;       ///< of the claim
  double wall_seconds = 0;  ///< of the worker that finished it
  /// When done. A run that was read back has no inspector, model, patch scores, masks or paths; it has what
  /// ArmResult's functions need: seed, scores, verdicts, figures, replicates, costs.
  std::shared_ptr<const ArmRun> run;
  std::string backbone;               ///< when done: its name
  std::string model_file;             ///< in the league's models
  nlohmann::json results;             ///< results.json of the evaluation (docs/results.schema.json)
  std::vector<std::string> pictures;  ///< ids of the shown parts, in the order of their files

  nlohmann::json to_json() const;
  /// Error(kBadInput) names `name` and what is missing or wrong.
  static CellResult from_json(const nlohmann::json& result, const std::string& name);
};

/// A run without figures, inspector, model and a decision that means anything: what is read back fills it.
std::shared_ptr<ArmRun> bare_run(int seed);

/// Nothing when the cell has none yet. Error(kBadInput) when the file is damaged or another cell's.
std::optional<CellResult> load_result(const LeagueFolder& folder, const std::string& id);

/// Of every cell that has one, in the plan's order.
std::vector<CellResult> load_results(const LeagueFolder& folder, const LeaguePlan& plan);

/// The test images whose maps every method shows: up to `count`, of each class in turn, chosen from the data
/// set alone. Indices into its test set.
std::vector<std::size_t> shown_parts(const Dataset& dataset, std::size_t count);

}  // namespace glint
