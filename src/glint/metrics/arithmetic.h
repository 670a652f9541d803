// What the metrics' formulas share.
#pragma once

#include <cmath>
#include <limits>
#include <numeric>
#include <span>

namespace glint {

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();  ///< a figure that is not defined

/// Not of nothing.
inline double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

inline double logit(double p) {
  return std::log(p / (1 - p));
}

}  // namespace glint
