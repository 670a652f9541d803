// Training end to end: dataset to model file, with calibration on parts that the detector did not see.
#pragma once

#include <filesystem>

#include "glint/base/progress.h"
#include "glint/data/dataset.h"
#include "glint/detect/model_file.h"
#include "glint/fit/config.h"

namespace glint {

struct FitOptions {
  std::filesystem::path out;    ///< model file of save_trained; empty = the caller keeps the model in memory
  std::filesystem::path state;  ///< resume file, written after every meta-epoch; empty = none
  bool resume = false;          ///< go on from `state` when it exists
  bool include_backbone = true;
  FeatureLibrary* library = nullptr;  ///< shares features with other runs of this process
  /// Folder that keeps the weights of every meta-epoch, a file each; empty = none.
  std::filesystem::path epochs;
};

/// Before any training: Error(kConfig) when the wished rate cannot be promised from the images that will
/// calibrate; Error(kIo) or Error(kBadInput) when the files of `options` cannot be written, too little space
/// is free, one of them is an image of the dataset or a texture, or the record could not be written as JSON.
/// The state file stays: save_trained removes it. A texture that is also an image of the dataset is refused.
Model fit_model(TrainConfig& config, const Dataset& dataset, const FitOptions& options,
                ProgressSink& progress);

/// Writes the model to options.out, and only then removes options.state. A failure says how to go on.
void save_trained(const Model& model, const FitOptions& options);

/// SHA-256 over everything that decides a run's result: configuration, method, effective precision, backbone,
/// images, and the program's version. Kept in the model's record. Also settles in `config` what fit_model
/// does: the input's side, the promised rate.
std::string run_identity(TrainConfig& config, const Dataset& dataset);

/// Where FitOptions::epochs keeps the weights of one meta-epoch; counted from 1.
std::filesystem::path epoch_file(const std::filesystem::path& folder, int meta_epoch);

/// How many good images will calibrate, and which mode `auto` stands for.
struct CalibrationPlan {
  CalibrationMode mode = CalibrationMode::kHoldout;
  int images = 0;
  double false_reject = 0;  ///< as configured, or promisable_rate
};
CalibrationPlan plan_calibration(const TrainConfig& config, const Dataset& dataset);

/// SHA-256 of the model file's content without its timings, so that equal training gives equal values.
std::string model_fingerprint(const Model& model);

}  // namespace glint
