#include "glint/detect/noise_scale.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "glint/base/error.h"

namespace glint {

std::vector<RgbImage> spread_images(const FitInput& input) {
  std::vector<RgbImage> sample;
  const int n = std::min(16, input.images);
  for (int i = 0; i < n; ++i) sample.push_back(input.image(i * input.images / n, 0));
  return sample;
}

double relative_noise_scale(double published_spread, const torch::Tensor& features) {
  const double spread = features.to(torch::kDouble).std().item<double>();
  if (!(spread > 0))
    fail(ErrorCode::kBadInput, "the training images give constant features; are they all blank?");
  return published_spread / spread;
}

}  // namespace glint
