// Calibration by cross-fitting: every good image is scored by a detector that was trained without it, and all
// good images train the detector that is kept. For sets that are too small to keep images out of training.
//
// What it promises: nothing for a finite sample. The final detector is not one of those that made the scores,
// so neither the bound of split-conformal prediction nor the "at most twice" of cross-conformal prediction
// (Vovk 2015; Vovk and Wang 2020) and of CV+ (Barber, Candes, Ramdas and Tibshirani 2021) holds: there the
// detectors of the folds judge the new part too. When leaving out a fold hardly changes the scores, the rate
// is close to the wished one; docs/recipes.md has simulated rates, for stable detectors and for one that is
// not.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "glint/data/split.h"
#include "glint/detect/detector.h"

namespace glint {

/// How far the folds are: what a resume file keeps of them.
struct CrossfitState {
  std::vector<std::vector<PatchScores>>
      finished;                          ///< of each finished fold's held-out images, in their order
  std::optional<TrainingState> running;  ///< the next fold's training, when it has begun
};

/// The folds' part of a resume file: returns its record and adds its tensors to those of the final detector's
/// state.
nlohmann::json pack_crossfit(const CrossfitState& folds, TensorDict& tensors);
/// Takes it out again. Error(kBadInput) when it is damaged.
CrossfitState unpack_crossfit(const nlohmann::json& record, TensorDict& tensors);

struct CrossfitSteps {
  /// Trains on the `train` of a fold (its index), from `resume` on when there is one; calls the function
  /// after meta-epochs.
  std::function<TensorDict(std::size_t fold, std::optional<TrainingState> resume,
                           const std::function<void(const TrainingState&)>& on_meta_epoch)>
      train;
  /// Patch scores of the fold's `held_out`, in its order, by the detector with these weights.
  std::function<std::vector<PatchScores>(const TensorDict& weights, std::size_t fold)> score;
  /// After every meta-epoch and every fold; may be empty.
  std::function<void(const CrossfitState&)> on_state;
};

/// Patch scores of all held-out images, fold by fold. Goes on from `state`; Error(kBadInput) when that is not
/// a state of these folds.
std::vector<PatchScores> crossfit_scores(const std::vector<Split>& folds, CrossfitState state,
                                         const CrossfitSteps& steps);

}  // namespace glint
