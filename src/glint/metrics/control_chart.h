// Statistical process control for scores of good parts: an individuals chart, and tests whether the newest
// parts still look like the ones that the threshold was calibrated on.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace glint {

/// Individuals chart with standards given (Shewhart; Montgomery, Introduction to Statistical Quality Control,
/// section 6.4): centre +- 3 standard deviations of reference values.
struct ControlLimits {
  double centre = 0, sigma = 0, lower = 0, upper = 0;
};

/// Reference values against which drift is measured.
class DriftReference {
 public:
  /// At least two values.
  explicit DriftReference(std::vector<double> values);

  const ControlLimits& limits() const { return limits_; }
  std::int64_t count() const { return count_; }

  /// Standardised change of the mean of `recent` against the reference: difference over its standard error
  /// under "no change", both samples' errors counted. 0 when the reference does not vary and neither differs.
  double mean_shift(std::span<const double> recent) const;
  /// The same for the mean absolute deviation from the median, each sample's own (after Levene and Brown and
  /// Forsythe; robust to skew).
  double spread_shift(std::span<const double> recent) const;

 private:
  std::int64_t count_ = 0;
  ControlLimits limits_;
  double deviation_mean_ = 0, deviation_sigma_ = 0;  ///< of the absolute deviations from the median
};

/// Parts that a drift test looks at, and the standardised change from which it warns. The windows of
/// successive parts overlap and every part is tested, so the bound is far above the usual 3: simulated,
/// 10,000 parts in control give a warning in one run of 25 (tests/metrics/control_chart_test.cpp).
inline constexpr int kDriftWindow = 25;
inline constexpr double kDriftBound = 6;

}  // namespace glint
