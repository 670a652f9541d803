// Threshold from good parts alone by split-conformal prediction (Vovk 2005; Lei et al. 2018).
//
// With n calibration scores exchangeable with future good parts, the k-th smallest score with
// k = ceil((n + 1)(1 - rate)) is exceeded by a new good part with probability at most 1 - k/(n+1) <= rate:
// exact for any n and any score distribution, on average over calibration draws. For one given calibration
// set the realised rate is Beta(n + 1 - k, k) distributed (no ties); its upper quantile is the bound we state
// beside it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace glint {

struct ConformalThreshold {
  double threshold = 0;          ///< reject when score > threshold
  double wished_rate = 0;        ///< what the user asked for
  double guaranteed_rate = 0;    ///< 1 - k/(n+1): bound of the expected false-reject rate
  double smallest_rate = 0;      ///< 1/(n+1): the least that n good images can promise
  double realised_upper = 0;     ///< with 95 % confidence the realised rate of this threshold is below
  std::int64_t good_images = 0;  ///< n
};

/// Good images needed to promise `rate`: ceil(1/rate) - 1.
std::int64_t images_needed(double rate);

/// The rate to promise when the user names none: 0.01, or the next of 0.02, 0.05, 0.1, 0.2, 0.5 that `images`
/// good images can promise. Error(kConfig) when there is no image.
double promisable_rate(std::int64_t images);

/// Error(kConfig) when `rate` is below 1/(n+1), naming the number of images that it would take.
ConformalThreshold conformal_threshold(std::span<const double> good_scores, double rate);

/// (1 + #{calibration >= score}) / (n + 1): valid p-value under "good".
double conformal_p_value(std::span<const double> sorted_good_scores, double score);

/// P(at least `rejected` of `parts` new good parts are rejected) when nothing but chance is at work: the
/// threshold's realised rate is itself drawn from the Beta distribution above, so the count is beta-binomial.
/// Exact; a small value says that these parts are rejected more often than promised.
double excess_rejects_p_value(const ConformalThreshold& threshold, std::int64_t rejected, std::int64_t parts);

}  // namespace glint
