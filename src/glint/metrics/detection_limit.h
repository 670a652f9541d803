// Probability of detection against defect size from hits and misses: how small a defect is still caught.
//
// P(a) = lo + (hi - lo) / (1 + exp(-(b0 + b1 ln a))), after the hit/miss models of reliability testing
// (Annis 2009, MIL-HDBK-1823A) with a lower asymptote, because a good part may be rejected too, and an upper
// one, because some defects are missed at any size. Maximum likelihood; bounds by likelihood ratio.
//
// Defects in the same photograph (carrier) are hit or missed together more often than chance, so the ratio of
// each bound is divided by a design effect: the variance of the figure with the scores summed per carrier
// (the cluster-robust "sandwich", Liang and Zeger 1986) over its variance for independent trials, after Rao
// and Scott 1981 and, for profile likelihoods, Pace, Salvan and Sartori 2011. Small samples: with K carriers
// and the curve's 4 parameters the sandwich gets the factor K / (K - 4), and t with K - 4 degrees of freedom
// takes the normal's place (Mancl and DeRouen 2001). Never below 1, and never above what carriers would give
// whose trials all went the same way; too few hits or misses to see how they cluster take that worst case.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace glint {

/// Trials with defects of one size.
struct SizeTrials {
  double size = 0;  ///< > 0
  std::int64_t trials = 0, hits = 0;
  int carrier = kIndependent;  ///< photograph that all of them were in

  static constexpr int kIndependent = -1;  ///< each trial in a photograph of its own
};

struct DetectionCurve {
  double lower = 0, upper = 1;       ///< lo and hi
  double offset = 0, steepness = 1;  ///< b0 and b1 >= 0

  double probability(double size) const;
};

/// The curve's 95 % two-sided pointwise bounds at one size.
struct CurveBounds {
  double size = 0, low = 0, high = 1;
};

struct DetectionLimit {
  DetectionCurve curve;
  double log_likelihood = 0;
  /// Size that is detected with probability 0.9; empty when no tried size is, 0 when the curve starts above.
  std::optional<double> a90;
  /// With 95 % confidence at most this size is detected with probability 0.9 (one-sided, likelihood ratio);
  /// empty when the data cannot bound it.
  std::optional<double> a90_95;
  std::vector<CurveBounds> bounds;  ///< at `bound_sizes`
  /// Of the curve at the size of a90 (or the largest tried): how many trials counted as one.
  double design_effect = 1;
};

/// At least two sizes with trials; sizes may repeat. All trials have a carrier, at least two of them, or
/// none. Sizes where bounds of the curve are wanted may be none.
DetectionLimit fit_detection_limit(std::span<const SizeTrials> trials,
                                   std::span<const double> bound_sizes = {});

}  // namespace glint
