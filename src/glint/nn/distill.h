// Trains a compact student to reproduce a teacher's layer2 and layer3 maps (multi-scale feature regression).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "glint/base/progress.h"
#include "glint/base/random.h"
#include "glint/nn/backbone.h"

namespace glint {

struct DistillOptions {
  int steps = 3000;             ///< optimiser steps
  int batch = 8;                ///< random crops a step
  int crop_px = 192;            ///< side of a training crop, a multiple of 16
  double learning_rate = 5e-4;  ///< Adam, cosine to a hundredth
  std::uint64_t seed = 0;
  /// File for resuming; empty = none. One of another teacher, other images or options is refused.
  std::filesystem::path state;
  int state_every = 200;  ///< steps between two states
};

struct DistillReport {
  /// Share of the teacher's feature variance that is not explained, on held-out images: before and after
  /// training.
  double start_residual_layer2 = 0, start_residual_layer3 = 0;
  double residual_layer2 = 0, residual_layer3 = 0;
  std::int64_t images = 0, held_out = 0;
};

struct DistillResult {
  TensorDict weights;  ///< float16
  DistillReport report;
};

/// What a step of a distillation shows of a picture: a square window of 0.45 to 1 of its shorter side
/// anywhere in it, brought to `side_px`, perhaps mirrored, turned by quarters, its brightness times 0.8
/// to 1.2.
RgbImage distillation_crop(const RgbImage& image, int side_px, Rng& rng);

/// Loss: mean over layer2, layer3 of the squared error over the teacher's channel variance. Each image is
/// used as distillation_crop shows it. One image in fifty (at least 8) is held out for the report. Steps
/// depend only on (seed, step): a resumed run equals an uninterrupted one. With a bfloat16 teacher the
/// student's products are bfloat16 too. The state file stays until the caller, who has written the result,
/// removes it.
DistillResult distill(const Backbone& teacher, const BackboneSpec& student,
                      const std::vector<std::filesystem::path>& images, const DistillOptions& options,
                      ProgressSink& progress);

}  // namespace glint
