// Noise relative to the features: the published deviations of the noise belong to the features of one
// network. What methods that train against noise share.
#pragma once

#include <torch/types.h>

#include <vector>

#include "glint/detect/detector.h"

namespace glint {

/// Up to 16 training images, evenly over all, without augmentation beyond the first draw: what the spread is
/// measured on.
std::vector<RgbImage> spread_images(const FitInput& input);

/// `published_spread` over the spread (standard deviation over all values) of `features`. Error(kBadInput)
/// when they are constant.
double relative_noise_scale(double published_spread, const torch::Tensor& features);

}  // namespace glint
