// What every method's training repeats: meta-epochs of passes over the training images in seeded order,
// readings averaged over each meta-epoch, progress, cancelling, resume states.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "glint/detect/detector.h"

namespace glint {

struct LoopOptions {
  int meta_epochs = 0, passes = 0, batch = 0;
  bool drop_last = false;         ///< leave out a last partial batch, unless it is the only one
  std::string_view order_stream;  ///< names the random stream of the order
};

/// One step's place in the training.
struct LoopStep {
  std::vector<int> images;
  int draw = 0;                        ///< augmentation draw of this pass
  int meta_epoch = 0;                  ///< from 0
  int pass = 0;                        ///< over the whole training
  int step = 0;                        ///< within the pass
  std::int64_t global = 0, total = 0;  ///< step over the whole training, and how many there are
};

/// Numbers by name.
using Readings = std::map<std::string, double>;

inline constexpr const char* kLoss = "loss";  ///< every method's reading; shown while training

struct LoopCallbacks {
  /// Trains one step; returns named numbers, averaged over the meta-epoch. One is kLoss.
  std::function<Readings(const LoopStep&)> train;
  /// Further readings after a meta-epoch (from 0).
  std::function<Readings(int meta_epoch)> track;
  /// Everything that goes on after an interruption.
  std::function<TensorDict()> state;
};

/// Runs from input.resume's meta-epoch, or from the start. Returns the readings of all meta-epochs.
std::vector<EpochReading> training_loop(const FitInput& input, const LoopOptions& options,
                                        const LoopCallbacks& callbacks);

/// Every training image in every draw, a few at a time, with a bar called `label`: what a method that trains
/// in one pass goes over.
void for_each_batch(const FitInput& input, const std::string& label,
                    const std::function<void(const std::vector<RgbImage>&)>& take);

/// The record of a method that trains in one pass: no series, no curves.
TrainingRecord one_pass_record(double feature_seconds, double training_seconds);

/// What a training's record says of its length beside the published one, as a sentence.
std::string length_sentence(int passes, int batch, int published_passes, int published_batch);

/// A step's pictures.
std::vector<RgbImage> step_images(const FitInput& input, const LoopStep& at);

/// Whether a training on the CPU rounds its products' operands to bfloat16.
bool trains_in_bfloat16(const FitInput& input);

/// `input`, whose states are changed on their way out: for a training that is a part of another.
FitInput with_states(const FitInput& input, std::function<void(TrainingState&)> change);

/// The few held-out images that a tracker looks at.
std::vector<RgbImage> tracker_images(const FitInput& input);

}  // namespace glint
