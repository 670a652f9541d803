// Pictures for people: map colours on a fixed scale, overlays, outlines.
#pragma once

#include <span>

#include "glint/image/image.h"
#include "glint/image/regions.h"

namespace glint {

/// The map's colour between `low` (transparent) and `high` (opaque), blended over the image, which is resized
/// to the map's size. Values outside the scale are clipped, so that one scale serves many pictures.
RgbImage heat_overlay(const RgbImage& image, const ScoreMap& map, float low, float high);

/// The map alone on the same colour scale.
RgbImage heat_map(const ScoreMap& map, float low, float high);

/// Draws an outline around a mask (green, two pixels away so that it hides nothing) or boxes (white on
/// black) in place.
void draw_mask_outline(RgbImage& image, const Mask& mask);
void draw_boxes(RgbImage& image, std::span<const Region> regions);

}  // namespace glint
