// Augmentation regimes of the study. Applied to the prepared network input, 8-bit RGB.
#pragma once

#include <cstdint>

#include "glint/base/options.h"
#include "glint/image/image.h"

namespace glint {

enum class AugmentRegime { kNone, kMild, kStrong };
template <>
struct EnumNames<AugmentRegime> {
  static constexpr std::pair<AugmentRegime, std::string_view> table[] = {
      {AugmentRegime::kNone, "none"}, {AugmentRegime::kMild, "mild"}, {AugmentRegime::kStrong, "strong"}};
};

/// One draw for image `image`: mild = brightness and contrast within 5 %, no geometry; strong = rotation
/// within 15 degrees, shift within 5 %, scale within 10 %, horizontal flip with probability 1/2, brightness
/// and contrast within 15 %; corners that a rotation uncovers mirror the image (the published code fills them
/// with black). Contrast is about the image's mean. Depends only on (seed, image, draw).
RgbImage augment(const RgbImage& image, AugmentRegime regime, std::uint64_t seed, std::uint64_t image_key,
                 int draw);

}  // namespace glint
