// Grey-scale morphology: what is brighter or darker than its surroundings and smaller than an element.
#pragma once

#include "glint/image/grey.h"

namespace glint {

/// The discrete ellipse of OpenCV's MORPH_ELLIPSE in a square of `side` pixels, odd; 1 belongs to it.
Mask elliptical_element(int side);

/// Picture minus its opening (bright details), opening by the ellipse; places outside the picture are
/// ignored.
GreyImage white_top_hat(const GreyImage& image, int side);
/// Closing minus picture (dark details).
GreyImage black_top_hat(const GreyImage& image, int side);

/// Opening by a square of 3 x 3: takes out what is thinner than three pixels.
GreyImage open_3x3(const GreyImage& image);

}  // namespace glint
