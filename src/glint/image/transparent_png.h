// The masks that annotation tools keep as a PNG with a transparent background.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "glint/image/image.h"

namespace glint {

/// What is opaque (alpha of at least half) of a PNG of width x height. Error(kBadInput) names `name` when the
/// bytes are no such PNG or of another size, which is seen before they are decoded; and when nothing tells
/// the marks from the ground: no transparency, or the same everywhere.
Mask decode_transparent_png(std::span<const std::byte> bytes, int width, int height, const std::string& name);

}  // namespace glint
