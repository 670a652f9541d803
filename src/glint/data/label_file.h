// What annotation tools export: which image has which regions of which class. Parsing only; files may come
// from strangers, so every number is checked before it is used.
#pragma once

#include <cstdint>
#include <string>
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

struct LabelledRegion {
  std::string label;
  RegionShape shape;
};

struct LabelledImage {
  std::string name;           ///< as the export writes it: a file name, a path or an address
  int width = 0, height = 0;  ///< as the export says; 0 when it does not
  std::vector<LabelledRegion> regions;
};

struct LabelFile {
  std::vector<LabelledImage> images;
  std::vector<std::string> problems;  ///< entries that cannot be used, each with its place
};

/// Label Studio, "JSON" export (https://labelstud.io/guide/export): the last annotation of a task that was
/// not cancelled; brush (its run-length code), polygon, rectangle and ellipse labels. Other results are left
/// out. Error(kBadInput) naming `file` when it is no such export.
LabelFile parse_label_studio(std::string_view text, const std::string& file);

/// COCO instance annotations (https://cocodataset.org/#format-data): polygons, and run-length codes as a list
/// or a string.
LabelFile parse_coco(std::string_view text, const std::string& file);

/// The region as a mask. Error(kBadInput) when a run-length code belongs to another size.
Mask rasterise(const RegionShape& shape, int width, int height);

/// Alpha plane of Label Studio's brush code for a width x height RGBA image, as runs of alpha >= 128. A bit
/// stream: 32 bits number of values, 5 bits word size - 1, four times 4 bits (length code size - 1), then
/// blocks: 1 bit "repeated", 2 bits which size, length - 1; then one value, or as many as the length says.
/// Error(kBadInput) when it is cut off or does not fill the image.
RunShape decode_brush(const std::vector<std::uint8_t>& code, int width, int height);

/// COCO's compressed string: differences to the run before the last, 5 bits a character from '0'.
std::vector<std::int64_t> decode_coco_runs(std::string_view text);

}  // namespace glint
