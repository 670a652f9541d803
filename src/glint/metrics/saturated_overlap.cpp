#include "glint/metrics/saturated_overlap.h"

#include <algorithm>

#include "glint/base/error.h"

namespace glint {

std::vector<float> saturated_weights(const ScoreMap& map, const std::vector<SaturatedRegion>& regions) {
  std::vector<float> out(map.values.size(), 0.0F);
  for (const SaturatedRegion& region : regions) {
    GLINT_CHECK(region.mask.pixels.size() == map.values.size() && region.saturation_px > 0);
    std::vector<std::size_t> inside;
    for (std::size_t p = 0; p < map.values.size(); ++p) {
      if (region.mask.pixels[p] != 0) inside.push_back(p);
    }
    std::stable_sort(inside.begin(), inside.end(),
                     [&](std::size_t a, std::size_t b) { return map.values[a] > map.values[b]; });
    const double saturation = region.saturation_px;
    for (std::size_t k = 0; k < inside.size(); ++k) {
      const double before = static_cast<double>(k) / saturation;
      if (before >= 1) break;
      out[inside[k]] += static_cast<float>(std::min(1.0, static_cast<double>(k + 1) / saturation) - before);
    }
  }
  return out;
}

SaturatedOverlap saturated_overlap(int images, const std::function<MapAndRegions(int)>& load,
                                   const std::vector<int>& stratum, const PixelMetricOptions& options) {
  PixelMetrics metrics = pixel_metrics(
      images,
      [&](int i) {
        MapAndRegions image = load(i);
        MapAndMask out{std::move(image.map), Mask(), std::move(image.regions)};
        out.mask = Mask(out.map.width, out.map.height);
        for (const SaturatedRegion& region : out.saturated) {
          for (std::size_t p = 0; p < out.mask.pixels.size(); ++p)
            out.mask.pixels[p] |= region.mask.pixels[p];
        }
        return out;
      },
      stratum, options);
  return {metrics.aupro, metrics.regions, std::move(metrics.pro_curve)};
}

}  // namespace glint
