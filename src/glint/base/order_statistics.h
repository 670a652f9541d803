// Median and quantile, defined once: always values that occurred.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace glint {

/// The upper one of the two middle values of an even count, so that it is always a value that occurred; NaN
/// of nothing.
inline double median(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The value of rank floor(share * (n - 1)), 0 the smallest. Not empty.
inline double quantile(std::vector<double> values, double share) {
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace glint
