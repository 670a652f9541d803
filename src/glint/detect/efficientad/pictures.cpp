#include "glint/detect/efficientad/pictures.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "glint/image/grey.h"

namespace glint {

RgbImage jittered(const RgbImage& image, Jitter kind, double factor) {
  RgbImage out = image;
  const GreyImage grey = to_grey(image);
  // torchvision and Pillow round the mean grey to a whole level.
  const double mean = std::floor(std::accumulate(grey.pixels.begin(), grey.pixels.end(), 0.0) /
                                     static_cast<double>(grey.pixels.size()) +
                                 0.5);
  for (std::size_t i = 0; i < out.pixels.size(); ++i) {
    const double centre = kind == Jitter::kBrightness ? 0.0
                          : kind == Jitter::kContrast ? mean
                                                      : static_cast<double>(grey.pixels[i / 3]);
    const double value = centre + factor * (image.pixels[i] - centre);
    out.pixels[i] = static_cast<std::uint8_t>(std::clamp(value + 0.5, 0.0, 255.0));
  }
  return out;
}

RgbImage jittered(const RgbImage& image, Rng& rng) {
  const auto kind = static_cast<Jitter>(rng.below(3));
  return jittered(image, kind, rng.uniform(0.8, 1.2));
}

RgbImage greyed(const RgbImage& image) {
  RgbImage out(image.width, image.height);
  const GreyImage grey = to_grey(image);
  for (std::size_t i = 0; i < out.pixels.size(); ++i) out.pixels[i] = grey.pixels[i / 3];
  return out;
}

}  // namespace glint
