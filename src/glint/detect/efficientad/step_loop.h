// A training whose length is a number of steps, whatever the number of images.
#pragma once

#include <vector>

#include "glint/detect/training_loop.h"

namespace glint {

/// training_loop of `epochs` meta-epochs of `steps` steps each. LoopStep::global counts them;
/// LoopStep::images means nothing.
inline std::vector<EpochReading> step_loop(const FitInput& input, int epochs, int steps,
                                           const LoopCallbacks& callbacks) {
  FitInput counted;  // without the pictures, which the loop does not look at
  counted.images = steps;
  counted.seed = input.seed;
  counted.resume = input.resume;
  counted.on_meta_epoch = input.on_meta_epoch;
  counted.progress = input.progress;
  return training_loop(counted,
                       {.meta_epochs = epochs, .passes = 1, .batch = 1, .order_stream = "efficientad.steps"},
                       callbacks);
}

}  // namespace glint
