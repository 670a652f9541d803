// The area of a labelled region, and the codes in which annotation tools keep areas.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "glint/image/image.h"
#include "glint/image/raster.h"

namespace glint {

struct PolygonShape {
  std::vector<std::vector<OutlinePoint>> outlines;  ///< parts of one region, pixels
};
struct EllipseShape {
  OutlinePoint centre;
  double radius_x = 0, radius_y = 0, angle_deg = 0;
};
/// Pixels as alternating lengths of runs outside and inside, starting outside.
struct RunShape {
  int width = 0, height = 0;
  bool column_major = false;
  std::vector<std::int64_t> runs;
};
using RegionShape = std::variant<PolygonShape, EllipseShape, RunShape>;

/// The region as a mask. Error(kBadInput) when a run-length code belongs to another size.
Mask rasterise(const RegionShape& shape, int width, int height);

/// A mask as runs.
RunShape runs_of(const Mask& mask);

/// Alpha plane of Label Studio's brush code for a width x height RGBA image, as runs of alpha >= 128. A bit
/// stream: 32 bits number of values, 5 bits word size - 1, four times 4 bits (length code size - 1), then
/// blocks: 1 bit "repeated", 2 bits which size, length - 1; then one value, or as many as the length says.
/// Error(kBadInput) when it is cut off or does not fill the image.
RunShape decode_brush(const std::vector<std::uint8_t>& code, int width, int height);

/// COCO's compressed string: differences to the run before the last, 5 bits a character from '0'.
std::vector<std::int64_t> decode_coco_runs(std::string_view text);

}  // namespace glint
