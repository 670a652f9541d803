// Augmentation regimes of the study. Applied to the prepared network input, 8-bit RGB.
#pragma once

#include <cstdint>

#include "glint/base/options.h"
#include "glint/image/image.h"

namespace glint {

/// offline: the training set is enlarged once, by kOfflineCopies strong draws of each image beside the image
/// itself, instead of a new draw in every pass.
enum class AugmentRegime { kNone, kMild, kStrong, kOffline };
template <>
struct EnumNames<AugmentRegime> {
  static constexpr std::pair<AugmentRegime, std::string_view> table[] = {
      {AugmentRegime::kNone, "none"},
      {AugmentRegime::kMild, "mild"},
      {AugmentRegime::kStrong, "strong"},
      {AugmentRegime::kOffline, "offline"}};
};

/// One draw for image `image`: mild = brightness and contrast within 5 %, no geometry; strong = rotation
/// within 15 degrees, shift within 5 %, scale within 10 %, horizontal flip with probability 1/2, brightness
/// and contrast within 15 %; corners that a rotation uncovers mirror the image (the published code fills them
/// with black). Contrast is about the image's mean. Depends only on (seed, image, draw).
/// Not for kOffline, which is made of strong draws.
RgbImage augment(const RgbImage& image, AugmentRegime regime, std::uint64_t seed, std::uint64_t image_key,
                 int draw);

inline constexpr int kOfflineCopies = 3;

/// The 22 versions of one image that few-shot training uses (published INP-Former): itself, eight rotations
/// (11.25 to 45 degrees either way), eight diagonal shifts (5 and 10 % of the sides), flip, grey, quarter
/// turns. Mirrored borders. The published code applies them behind the normalisation, which commutes with all
/// but grey, and samples in float where this rounds to 8 bits.
RgbImage few_shot_version(const RgbImage& image, int version);
inline constexpr int kFewShotVersions = 22;

}  // namespace glint
