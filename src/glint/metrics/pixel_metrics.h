// Pixel AUROC, AP, F1 and AUPRO, exact at every distinct score, with bounded memory.
//
// The maps are not kept. The caller hands a function that yields map and mask of image i at the mask's native
// size and is called several times per image; a first pass counts scores by the upper 16 bits of their
// ordered bit pattern, later passes collect and sort the pixels of a range of those bins that fits the memory
// limit. A bin that alone holds more than the limit (saturated or tied scores) is not collected but counted
// per score: it has 65,536 of them. Thus 1,000 maps of 1024x1024 need about 17 passes at the default limit
// and never more memory than the limit and one map, whatever the scores. AUPRO after Bergmann et al. 2021:
// per-region overlap averaged over all 8-connected regions of all images, against the false positive rate
// over all normal pixels; trapezoid up to the limit with linear interpolation there, over the limit.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "glint/image/image.h"
#include "glint/image/regions.h"
#include "glint/metrics/intervals.h"
#include "glint/metrics/ranking.h"

namespace glint {

struct MapAndMask {
  ScoreMap map;
  Mask mask;  ///< same size as the map; all zero for a good image
  /// When given, these are the regions of the overlap instead of the mask's connected ones, each up to its
  /// saturation (saturated_overlap.h); the mask is their union.
  std::vector<SaturatedRegion> saturated = {};
};

struct PixelMetricOptions {
  double pro_limit = 0.3;
  Connectivity connectivity = Connectivity::kEight;
  /// With what sorting needs: 8 bytes a normal, 16 bytes a defect pixel.
  std::int64_t max_pixels_in_memory = 64'000'000;
  int bootstrap_replicates = 1000;  ///< 0 = no intervals
  std::uint64_t seed = 0;
};

struct PixelMetrics {
  Estimate auroc, average_precision, f1max, aupro;
  double f1max_threshold = 0;
  std::int64_t regions = 0;
  std::vector<CurvePoint> pro_curve;  ///< (FPR, PRO), thinned to about 400 points for drawing
  int passes = 0;                     ///< over the images
  std::int64_t peak_pixels = 0;       ///< pixels that there was room for in memory at once, at most
  std::int64_t units = 0;  ///< images with, or images without a defect pixel, the fewer when both occur
  /// Bootstrap replicates of auroc, average_precision, f1max, aupro, in this order. The same images, strata
  /// and seed give the same resamples, so that two detectors' replicates are paired.
  std::array<std::vector<double>, 4> replicates;
};

/// `stratum` per image (its class), for the stratified bootstrap over images. The bootstrap works on counts
/// at 1024 fixed thresholds (quantiles of the pooled scores); its interval is shifted by the exact minus the
/// binned value (bootstrap_interval over `units`). Values are NaN when there is no defect pixel.
PixelMetrics pixel_metrics(int images, const std::function<MapAndMask(int)>& load,
                           const std::vector<int>& stratum, const PixelMetricOptions& options = {});

}  // namespace glint
