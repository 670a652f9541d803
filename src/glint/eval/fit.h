// Training end to end: dataset to model file, with calibration on parts that the detector did not see.
#pragma once

#include <filesystem>

#include "glint/base/progress.h"
#include "glint/data/dataset.h"
#include "glint/detect/model_file.h"
#include "glint/eval/config.h"

namespace glint {

struct FitOptions {
  std::filesystem::path state;  ///< resume file, written after every meta-epoch; empty = none
  bool resume = false;          ///< go on from `state` when it exists
  bool include_backbone = true;
  FeatureLibrary* library = nullptr;  ///< shares features with other runs of this process
  std::filesystem::path epochs;       ///< file that keeps the weights of every meta-epoch; empty = none
};

/// Error(kConfig) before any training when the wished rate cannot be promised from the images that will
/// calibrate.
Model fit_model(TrainConfig& config, const Dataset& dataset, const FitOptions& options,
                ProgressSink& progress);

/// SHA-256 over everything that decides a run's result: configuration, method, backbone, images. Kept in the
/// model's record. Also rounds the input's side as fit_model does.
std::string run_identity(TrainConfig& config, const Dataset& dataset);

/// How many good images will calibrate, and which mode `auto` stands for.
struct CalibrationPlan {
  CalibrationMode mode = CalibrationMode::kHoldout;
  int images = 0;
};
CalibrationPlan plan_calibration(const TrainConfig& config, const Dataset& dataset);

/// SHA-256 of the model file's content without its timings, so that equal training gives equal values.
std::string model_fingerprint(const Model& model);

}  // namespace glint
