// Outlines to masks.
#pragma once

#include <span>

#include "glint/image/image.h"

namespace glint {

/// In pixels; the centre of the top left pixel is (0.5, 0.5).
struct OutlinePoint {
  double x = 0, y = 0;
};

/// Sets every pixel that the polygon touches (even-odd rule inside itself), clipped to the mask. Fewer than
/// three points set nothing.
void fill_polygon(Mask& mask, std::span<const OutlinePoint> outline);

/// Sets the pixels of an ellipse, turned clockwise by `angle_deg` about its centre.
void fill_ellipse(Mask& mask, OutlinePoint centre, double radius_x, double radius_y, double angle_deg);

}  // namespace glint
