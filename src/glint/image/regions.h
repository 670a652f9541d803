// Connected regions of masks and of maps above a threshold.
#pragma once

#include <cstdint>
#include <vector>

#include "glint/image/image.h"

namespace glint {

enum class Connectivity { kFour = 4, kEight = 8 };

struct Region {
  int x = 0, y = 0, width = 0, height = 0;  ///< bounding box, pixels
  std::int64_t area_px = 0;
  float peak = 0;  ///< largest map value inside; 0 for regions of masks
};

/// A defect of which it is enough to find a part (MVTec LOCO: a part that is missing has no one place).
struct SaturatedRegion {
  Mask mask;                 ///< at the image's size
  double saturation_px = 0;  ///< pixels that must be found; above 0 and at most the region's area
};

/// Labels 1 ... count per pixel, 0 = background.
struct RegionLabels {
  std::vector<std::int32_t> labels;  ///< row-major, as the mask
  int count = 0;
};

RegionLabels label_regions(const Mask& mask, Connectivity connectivity = Connectivity::kEight);
std::vector<Region> mask_regions(const Mask& mask);

/// 8-connected regions where map > threshold, largest peak first.
std::vector<Region> regions_above(const ScoreMap& map, float threshold);

}  // namespace glint
