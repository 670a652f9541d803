// Computes cells: claims one, trains, evaluates, and leaves its result and pictures in the league's folder.
// Any number of workers, on any machines that share the folder.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "glint/base/progress.h"
#include "glint/league/cell_result.h"
#include "glint/league/plan.h"

namespace glint {

/// What a worker asks others for; tests give their own.
struct WorkerSteps {
  /// A fresh configuration of a method and seed, with the plan's settings.
  std::function<std::unique_ptr<TrainConfig>(const std::string& method, int seed)> configure;
  std::function<Dataset(const LeagueSet& set)> scan;
};

struct WorkerOptions {
  double lease_seconds = 120;  ///< of its claims
  double budget_seconds = 0;   ///< of run_all; 0 = no bound
};

enum class CellOutcome {
  kComputed,  ///< by this worker just now: done, refused or failed
  kThere,     ///< it was
  kHeld       ///< another worker, who lives, is computing it
};

inline constexpr std::size_t kShownParts = 12;  ///< whose maps every method shows
inline constexpr int kShownSide = 256;          ///< pixels of the longer side
/// A cell whose workers died so often is taken for one that ends them.
inline constexpr int kMostDeaths = 5;

class CellWorker {
 public:
  /// Error(kConfig) when another version of the program made the plan. The references must stay.
  CellWorker(LeagueFolder folder, const LeaguePlan& plan, WorkerSteps steps, WorkerOptions options,
             ProgressSink& progress);
  ~CellWorker();

  /// A cell that another holds is waited for until it is known whether that worker lives: its claim is
  /// renewed, or given back, or expires. A cell that failed is computed again. What goes wrong inside a cell
  /// is its result; Error(kCancelled) and errors of the folder itself are thrown, and the cell is given back.
  CellOutcome run(const Cell& cell);

  /// Every cell that nobody has done or holds, in the plan's order. With a budget a cell begins while the
  /// budget is not spent and, where its time is known from other seeds, holds it; one that has begun may
  /// finish. Returns how many it computed.
  int run_all();

 private:
  const Dataset& dataset(int set);
  CellResult compute(const Cell& cell);
  std::optional<CellOutcome> attempt(const Cell& cell, double& lease);
  void write_pictures(const Cell& cell, const ArmRun& run, CellResult& result);

  LeagueFolder folder_;
  const LeaguePlan& plan_;
  WorkerSteps steps_;
  WorkerOptions options_;
  ProgressSink& progress_;
  std::unique_ptr<FeatureLibrary> library_;
  std::vector<std::shared_ptr<const Dataset>> datasets_;  ///< by set; null = not read yet
};

/// Seconds and memory of each cell without a result, from finished cells of its data set and method.
void measured_costs(LeaguePlan& plan, const std::vector<CellResult>& results);

}  // namespace glint
