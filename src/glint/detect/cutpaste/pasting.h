// CutPaste's defects: a patch of the picture itself, its colours a little changed, laid elsewhere; or a thin,
// turned one, a scar.
#pragma once

#include "glint/base/random.h"
#include "glint/image/image.h"

namespace glint {

/// Changes of brightness, contrast, saturation (factors within 1 - strength to 1 + strength) and hue (by up
/// to `strength` of the circle, either way), in random order; rounded once.
RgbImage jitter_colours(const RgbImage& image, double strength, Rng& rng);

/// Sides of a patch of `share` of the image's area: floor(sqrt(share w h aspect)) and floor(sqrt(share w h /
/// aspect)), as published.
ImageSize cut_size(ImageSize image, double share, double aspect);

/// The patch laid on the picture with its top left at (x, y), where its mask is not 0; what lies outside is
/// cut off. mask: empty = everywhere, else of the patch's size.
RgbImage paste_patch(const RgbImage& image, const RgbImage& patch, const Mask& mask, int x, int y);

struct TurnedPatch {
  RgbImage image;
  Mask mask;  ///< 1 = of the patch, 0 = beyond it
};
/// Counter-clockwise by the angle, nearest pixel, on the smallest grid that holds it all (Pillow's rotation
/// with expansion).
TurnedPatch turn_patch(const RgbImage& patch, double angle_deg);

/// Published: share of the area, aspect (either way), colours.
inline constexpr double kLeastCut = 0.02, kMostCut = 0.15, kNarrowestCut = 0.3, kPatchJitter = 0.1;

/// A patch of U(0.02, 0.15) of the area and aspect U(0.3, 1) or 1 / U(0.3, 1), half each, from a uniform
/// place to a uniform place.
RgbImage paste_cut(const RgbImage& good, Rng& rng);
/// A patch of 2 to 16 by 10 to 25 pixels (fewer on a small picture), turned by U(-45, 45) degrees.
RgbImage paste_scar(const RgbImage& good, Rng& rng);

}  // namespace glint
