// The files of a training: resume state, the weights of each meta-epoch, the model. What could fail when the
// training has ended is checked before it begins.
#pragma once

#include "glint/fit/crossfit.h"
#include "glint/fit/fit.h"

namespace glint {

/// What a resume file holds: the final detector's last state (of no meta-epoch when it has none, as with
/// methods of one pass), and the folds' of cross-fitting.
struct SavedTraining {
  TrainingState training;
  CrossfitState folds;
};

void save_state(const std::filesystem::path& path, const SavedTraining& saved, const std::string& identity);
/// Error(kBadInput) when the file is damaged or belongs to another run.
SavedTraining load_state(const std::filesystem::path& path, const std::string& identity);

/// The weights of one meta-epoch, for `evaluate --oracle-epochs`.
void save_epoch(const std::filesystem::path& folder, const TrainingState& state, const Method& method,
                const std::string& identity);

/// Errors as fit_model states them. `read`: files that the training reads beside the dataset's;
/// `backbone_weights` go into the model.
void check_outputs(const TrainConfig& config, const Dataset& dataset, std::vector<std::filesystem::path> read,
                   const FitOptions& options, const BackboneSpec& backbone,
                   const TensorDict& backbone_weights, int calibration_images);

}  // namespace glint
