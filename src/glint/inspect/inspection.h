// What an inspection of one photograph says, as plain values: free of libtorch, so that rooms which only pass
// it on are too.
#pragma once

#include <string>
#include <vector>

#include "glint/image/image.h"
#include "glint/image/regions.h"

namespace glint {

struct InspectionResult {
  std::string path;
  std::string notice;  ///< what to say beside the verdict; empty = nothing
  double score = 0, threshold = 0, p_value = 0;
  bool rejected = false;
  std::vector<Region> regions;  ///< in the photograph's pixels, where map > map_threshold
  ScoreMap map;                 ///< of the photograph; its size as asked for
};

/// Map values of the lowest and the highest colour.
struct ColourScale {
  float low = 0, high = 1;
};

}  // namespace glint
