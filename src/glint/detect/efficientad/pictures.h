// What EfficientAD's training changes of a picture before the network sees it. On 8 bits, as published.
#pragma once

#include "glint/base/random.h"
#include "glint/image/image.h"

namespace glint {

/// Brightness: all values times `factor`. Contrast: distances from the picture's mean grey times `factor`.
/// Saturation: distances from each pixel's own grey times `factor`.
enum class Jitter { kBrightness, kContrast, kSaturation };
RgbImage jittered(const RgbImage& image, Jitter kind, double factor);
/// One of the three by a factor of 0.8 to 1.2.
RgbImage jittered(const RgbImage& image, Rng& rng);

/// Each pixel's grey (luma of ITU-R BT.601) in all three channels.
RgbImage greyed(const RgbImage& image);

}  // namespace glint
