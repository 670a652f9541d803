#include "glint/data/augment.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/image/grey.h"
#include "glint/image/resample.h"

namespace glint {
namespace {

void brightness_and_contrast(RgbImage& image, double brightness, double contrast) {
  const double mean = brightness * std::accumulate(image.pixels.begin(), image.pixels.end(), 0.0) /
                      static_cast<double>(std::max<std::size_t>(1, image.pixels.size()));
  for (std::uint8_t& v : image.pixels) {
    const double changed = (v * brightness - mean) * contrast + mean;
    v = static_cast<std::uint8_t>(std::clamp(std::lround(changed), 0L, 255L));
  }
}

}  // namespace

RgbImage augment(const RgbImage& image, AugmentRegime regime, std::uint64_t seed, std::uint64_t image_key,
                 int draw) {
  GLINT_CHECK(regime != AugmentRegime::kOffline);
  if (regime == AugmentRegime::kNone) return image;
  Rng rng(seed, "augment", image_key, draw);
  const bool strong = regime == AugmentRegime::kStrong;
  RgbImage out = image;
  if (strong) {
    const double angle = rng.uniform(-15, 15), dx = rng.uniform(-0.05, 0.05), dy = rng.uniform(-0.05, 0.05);
    const double scale = rng.uniform(0.9, 1.1);
    out = warp_about_centre(out, angle, dx, dy, scale, rng.below(2) == 1);
  }
  const double strength = strong ? 0.15 : 0.05;
  const double brightness = rng.uniform(1 - strength, 1 + strength);
  brightness_and_contrast(out, brightness, rng.uniform(1 - strength, 1 + strength));
  return out;
}

RgbImage few_shot_version(const RgbImage& image, int version) {
  static constexpr double kAngles[] = {45, -45, 33.75, -33.75, 22.5, -22.5, 11.25, -11.25};
  static constexpr double kShifts[][2] = {{.1, .1},   {-.1, .1},   {-.1, -.1},   {.1, -.1},
                                          {.05, .05}, {-.05, .05}, {-.05, -.05}, {.05, -.05}};
  if (version == 0) return image;
  if (version <= 8) return warp_about_centre(image, kAngles[version - 1], 0, 0, 1, false);
  if (version <= 16) {
    const auto& shift = kShifts[version - 9];
    return warp_about_centre(image, 0, shift[0], shift[1], 1, false);
  }
  if (version == 17) return warp_about_centre(image, 0, 0, 0, 1, true);
  RgbImage out = image;
  if (version == 18) {
    for (std::size_t i = 0; i + 2 < out.pixels.size(); i += 3) {
      const double grey = luma_of(&out.pixels[i]);
      std::fill_n(out.pixels.begin() + static_cast<std::ptrdiff_t>(i), 3,
                  static_cast<std::uint8_t>(std::lround(grey)));
    }
    return out;
  }
  return warp_about_centre(image, 90.0 * (version - 18), 0, 0, 1, false);  // the network's input is square
}

}  // namespace glint
