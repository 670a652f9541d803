// Whether and how parts are brought to one pose before a detector sees them: learnt from training parts
// alone, never from parts that calibrate.
#pragma once

#include "glint/base/progress.h"
#include "glint/data/dataset.h"
#include "glint/detect/view.h"
#include "glint/fit/config.h"
#include "glint/fit/trainer.h"

namespace glint {

struct AlignmentChoice {
  std::optional<Registration> registration;
  /// For the model's record: `asked`, `used`, `reason`, and what was measured.
  nlohmann::json record;
};

/// What config.input.align asks for. `training`: indices of `samples`. `textures`: as Trainer's. `rigid`
/// learns a registration (registration.h); Error(kBadInput) with the reason when there is none. `auto` also
/// scores: twice, each half of up to 80 training parts is scored by a detector of the other half, with and
/// without alignment (the configured method when it trains in one pass, else position_bound_method(), which
/// needs a convolutional backbone). The spread is the range from the 10 % to the 90 % quantile over the
/// median of the scores; alignment is used when its spread, the mean of both halves, is at most 0.9 of the
/// other.
AlignmentChoice choose_alignment(const TrainConfig& config,
                                 const std::shared_ptr<const FeatureExtractor>& features,
                                 const std::vector<Sample>& samples, const std::vector<int>& training,
                                 const std::shared_ptr<const TextureSource>& textures,
                                 ProgressSink& progress);

}  // namespace glint
