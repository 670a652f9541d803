// Trained models kept in a folder under names made from everything that decides their result, so that
// whoever asks for the same training again finds it, and an interrupted one goes on.
#pragma once

#include <filesystem>
#include <string>

#include "glint/fit/fit.h"

namespace glint {

/// Where one training's files are.
struct KeptTraining {
  std::string name;  ///< of the files
  std::filesystem::path model, state;
  std::filesystem::path epochs;  ///< of every meta-epoch's weights; empty = not kept
};

/// METHOD_seedN_IDENTITY in `folder`; settles `config` as run_identity does.
KeptTraining kept_training(const std::filesystem::path& folder, TrainConfig& config, const Dataset& dataset);

/// The kept model, or a new one: then trained, from its state on where there is a usable one, and written.
/// Errors as fit_model's.
Model train_or_load(const KeptTraining& kept, TrainConfig& config, const Dataset& dataset,
                    FeatureLibrary& library, ProgressSink& progress);

/// fit_model; a state that cannot be resumed is no obstacle, the training then starts anew with a message.
Model fit_or_resume(TrainConfig& config, const Dataset& dataset, FitOptions options, ProgressSink& progress);

}  // namespace glint
