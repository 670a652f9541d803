// The files of a training: resume state, the weights of each meta-epoch, the model. What could fail when the
// training has ended is checked before it begins.
#pragma once

#include "glint/fit/fit.h"

namespace glint {

void save_state(const std::filesystem::path& path, const TrainingState& state, const std::string& identity);
/// Error(kBadInput) when the file is damaged or belongs to another run.
TrainingState load_state(const std::filesystem::path& path, const std::string& identity);

/// The weights of one meta-epoch, for `evaluate --oracle-epochs`.
void save_epoch(const std::filesystem::path& folder, const TrainingState& state, const Method& method,
                const std::string& identity);

/// Errors as fit_model states them.
void check_outputs(const TrainConfig& config, const Dataset& dataset, const FitOptions& options,
                   const Backbone& backbone, int calibration_images);

}  // namespace glint
