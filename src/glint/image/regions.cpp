#include "glint/image/regions.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

namespace glint {
namespace {

cv::Mat view(const Mask& mask) {
  return {mask.height, mask.width, CV_8U,
          const_cast<std::uint8_t*>(mask.pixels.data())};  // NOLINT: no const view
}

std::vector<Region> describe(const Mask& mask, const ScoreMap* map) {
  cv::Mat labels, stats, centroids;
  const int n = cv::connectedComponentsWithStats(view(mask), labels, stats, centroids, 8, CV_32S);
  std::vector<Region> regions(static_cast<std::size_t>(std::max(0, n - 1)));
  for (int i = 1; i < n; ++i) {
    const int* s = stats.ptr<int>(i);
    regions[i - 1] = {s[cv::CC_STAT_LEFT],   s[cv::CC_STAT_TOP],  s[cv::CC_STAT_WIDTH],
                      s[cv::CC_STAT_HEIGHT], s[cv::CC_STAT_AREA], -std::numeric_limits<float>::infinity()};
  }
  for (int y = 0; y < mask.height; ++y) {
    const int* row = labels.ptr<int>(y);
    for (int x = 0; x < mask.width; ++x) {
      if (row[x] == 0) continue;
      float& peak = regions[row[x] - 1].peak;
      peak = map ? std::max(peak, map->at(x, y)) : 0.0F;
    }
  }
  return regions;
}

}  // namespace

RegionLabels label_regions(const Mask& mask, Connectivity connectivity) {
  cv::Mat labels;
  const int n = cv::connectedComponents(view(mask), labels, static_cast<int>(connectivity), CV_32S);
  RegionLabels out;
  out.count = n - 1;
  out.labels.assign(labels.ptr<int>(0), labels.ptr<int>(0) + labels.total());
  return out;
}

std::vector<Region> mask_regions(const Mask& mask) {
  return describe(mask, nullptr);
}

std::vector<Region> regions_above(const ScoreMap& map, float threshold) {
  Mask above(map.width, map.height);
  std::transform(map.values.begin(), map.values.end(), above.pixels.begin(),
                 [threshold](float v) { return static_cast<std::uint8_t>(v > threshold ? 1 : 0); });
  std::vector<Region> regions = describe(above, &map);
  std::stable_sort(regions.begin(), regions.end(),
                   [](const Region& a, const Region& b) { return a.peak > b.peak; });
  return regions;
}

}  // namespace glint
