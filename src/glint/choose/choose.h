// Chooses a detector from good parts alone: candidates are trained within a budget of time, judged by
// synthetic defects on parts that they have not seen, and the winner is trained again for good, calibrated on
// parts that took no part in the choice (docs/choose.md).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "glint/choose/budget.h"
#include "glint/choose/ranking.h"
#include "glint/choose/roles.h"

namespace glint {

/// A fresh configuration of a method with the user's settings, before apply_candidate.
using ConfigureMethod = std::function<std::unique_ptr<TrainConfig>(const std::string& method)>;

struct ChooseOptions {
  Budget budget;
  double false_reject = 0;  ///< of the winner; 0 = what its calibration images can promise
  std::uint64_t seed = 0;   ///< of roles and defects; trainings have their own
  std::vector<Candidate> candidates;
  DefectLadder ladder;
  ConfigureMethod configure;
  std::filesystem::path out;  ///< folder: choose.json after every candidate, models/, model.glint
};

/// What is known after the candidates, before the winner is trained.
struct Measured {
  GoodRoles roles;
  DefectLadder ladder;
  Judges judges;  ///< without pictures: the carriers are empty, their number and the series stay
  std::vector<CandidateResult> results;
};

struct ChooseOutcome {
  Measured measured;
  Budget budget;
  Choice choice;
  std::string winner;  ///< its name
  std::string file;    ///< the winning model
  std::string guarantee;
  double final_seconds = 0;  ///< that the winner's own training took
};

/// Trains and judges, with results and models in options.out; what an earlier call there has finished is not
/// done again. Error(kBadInput) when choose.json there is damaged.
Measured measure_candidates(const Dataset& dataset, const ChooseOptions& options, ProgressSink& progress);

/// The whole: measures, ranks, trains the winner into options.out / "model.glint".
ChooseOutcome choose_model(const Dataset& dataset, const ChooseOptions& options, ProgressSink& progress);

/// choose.json
nlohmann::json choose_json(const ChooseOutcome& outcome, const Dataset& dataset);
/// The ranking and its reason, for the terminal.
std::string choose_text(const ChooseOutcome& outcome);

/// One kind and contrast of the ladder.
struct LadderPart {
  SyntheticDefect kind = SyntheticDefect::kScratch;
  double contrast = 0;
  Estimate found;             ///< over the carriers
  std::optional<double> a90;  ///< pixels of the photograph (detection_limit.h); empty = not reached
};
std::vector<LadderPart> ladder_parts(const Measured& measured, const JudgedScore& score);

}  // namespace glint
