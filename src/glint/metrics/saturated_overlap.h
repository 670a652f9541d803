// Saturated per-region overlap (sPRO) of MVTec LOCO (Bergmann et al., "Beyond Dents and Scratches", IJCV
// 2022): a region counts as found in full once as many of its pixels are found as its saturation says,
// because a part that is missing has many right places. With every saturation at its region's area it is
// AUPRO.
#pragma once

#include <functional>
#include <vector>

#include "glint/image/image.h"
#include "glint/image/regions.h"
#include "glint/metrics/intervals.h"
#include "glint/metrics/pixel_metrics.h"
#include "glint/metrics/ranking.h"

namespace glint {

/// The limit of the false positive rate at which the paper compares.
inline constexpr double kSproLimit = 0.05;

struct MapAndRegions {
  ScoreMap map;
  std::vector<SaturatedRegion> regions;  ///< of the map's size; may overlap; none for a good image
};

struct SaturatedOverlap {
  Estimate au_spro;               ///< over the limit, so that 1 is the best
  std::int64_t regions = 0;       ///< of all images
  std::vector<CurvePoint> curve;  ///< (FPR, sPRO), thinned
};

/// sPRO at a threshold: the mean over all regions of min(found pixels / saturation, 1). The false positive
/// rate is over the pixels outside all regions of their image. The area is exact at every distinct score,
/// with linear interpolation at the limit. A saturation
/// may be a fraction of a pixel. `options`: pro_limit is the limit. Strata and intervals as in
/// pixel_metrics; NaN without a region.
SaturatedOverlap saturated_overlap(int images, const std::function<MapAndRegions(int)>& load,
                                   const std::vector<int>& stratum, const PixelMetricOptions& options);

/// What each pixel of `map` adds to the sum of the regions' saturated overlaps when the threshold falls below
/// its score: 1 / saturation for a region's highest pixels until it is full, then nothing. Row-major.
std::vector<float> saturated_weights(const ScoreMap& map, const std::vector<SaturatedRegion>& regions);

}  // namespace glint
