// MVTec LOCO (https://www.mvtec.com/company/research/datasets/mvtec-loco): what its defects_config.json says
// of each kind of defect, and the regions of an image for its metric (metrics/saturated_overlap.h).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "glint/data/dataset.h"
#include "glint/image/regions.h"

namespace glint {

inline constexpr const char* kSaturationFile = "defects_config.json";

/// How much of a region must be found for it to count as found in full.
struct Saturation {
  std::string defect;     ///< its name in the file
  double threshold = 1;   ///< pixels, or a share of the region
  bool relative = false;  ///< the threshold is a share
};

/// By the value that the defect's pixels have in its masks.
struct SaturationTable {
  std::map<int, Saturation> by_value;
};

/// The file's text: a list of objects with defect_name, pixel_value, saturation_threshold and
/// relative_saturation. Error(kBadInput) names `file` and the entry: a field that is absent or of another
/// kind, a value outside 1..255 or used twice, a threshold that is not above 0, a share above 1.
SaturationTable parse_saturations(std::string_view text, const std::string& file);

/// One region per mask file of the sample, whose `saturations` must be set; none for a good image. Error
/// (kBadInput) names a mask file that does not decode, holds no defect or several values, or one that the
/// table does not list.
std::vector<SaturatedRegion> load_saturated_regions(const Sample& sample);

}  // namespace glint
