// Defects to train with, as DRAEM makes them (Zavrtanik, Kristan and Skocaj 2021): Perlin noise above a bound
// gives the shape, an augmented texture, blended with the good part, the filling. Any place, any size, a
// changed texture: meant to teach where a part ends to look right. Those of synthetic_defect.h have a kind, a
// size and a contrast, and lie on the part: meant to measure with, and never trained from, so that what they
// measure stays apart from what a method has learnt.
#pragma once

#include <cstdint>

#include "glint/base/random.h"
#include "glint/image/defective_image.h"

namespace glint {

/// Published: share of the pictures that stay as they are; bound of the noise; largest share of the good part
/// in the blend.
inline constexpr double kCleanShare = 0.5, kDefectNoise = 0.5, kMostOriginal = 0.8;

/// The good picture, with P kCleanShare and where no noise exceeds the bound unchanged and with an empty
/// mask. Else, where the mask is 1, (1 - b) * augmented texture + b * good, rounded, with one b of U(0,
/// kMostOriginal); elsewhere unchanged. The noise (random_perlin_noise) is turned by U(-90, 90) degrees,
/// nothing beyond its borders. `texture`: of the picture's size. Depends only on the arguments.
DefectiveImage add_textured_defect(const RgbImage& good, const RgbImage& texture, std::uint64_t seed);

/// Three different ones of ten changes, as published: gamma 0.5 to 2 per channel; luma x 0.8 to 1.2 and + up
/// to 30 either way; sharpness; hue and saturation + up to 50 of 255 either way; with P 1/2 solarised from 32
/// to 128 on; 1 to 8 bits per channel; inverted; stretched to the whole range; equalised; turned by up to 45
/// degrees. Differs from the published code (imgaug) in that brightness is always that of luma, where it
/// draws a colour space, and that turning mirrors the borders, where it leaves black.
RgbImage augment_texture(const RgbImage& texture, Rng& rng);

}  // namespace glint
