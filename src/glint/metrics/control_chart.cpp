#include "glint/metrics/control_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "glint/base/error.h"
#include "glint/base/order_statistics.h"
#include "glint/metrics/arithmetic.h"

namespace glint {
namespace {

/// Unbiased estimate's root.
double deviation_of(std::span<const double> values, double mean) {
  double sum = 0;
  for (const double v : values) sum += (v - mean) * (v - mean);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

/// From the values' own median, so that a shift of all of them is no spread.
std::vector<double> absolute_deviations(std::span<const double> values) {
  std::vector<double> out(values.begin(), values.end());
  const double centre = median(out);
  for (double& v : out) v = std::abs(v - centre);
  return out;
}

double standardised(double change, double sigma, std::int64_t n, std::size_t m) {
  if (change == 0) return 0;
  const double error = sigma * std::sqrt(1.0 / static_cast<double>(n) + 1.0 / static_cast<double>(m));
  return error > 0 ? change / error : std::copysign(std::numeric_limits<double>::infinity(), change);
}

}  // namespace

DriftReference::DriftReference(std::vector<double> values) : count_(std::ssize(values)) {
  GLINT_CHECK(values.size() >= 2);
  limits_.centre = mean_of(values);
  limits_.sigma = deviation_of(values, limits_.centre);
  limits_.lower = limits_.centre - 3 * limits_.sigma;
  limits_.upper = limits_.centre + 3 * limits_.sigma;
  const std::vector<double> deviations = absolute_deviations(values);
  deviation_mean_ = mean_of(deviations);
  deviation_sigma_ = deviation_of(deviations, deviation_mean_);
}

double DriftReference::mean_shift(std::span<const double> recent) const {
  return recent.empty()
             ? 0
             : standardised(mean_of(recent) - limits_.centre, limits_.sigma, count_, recent.size());
}

double DriftReference::spread_shift(std::span<const double> recent) const {
  if (recent.empty()) return 0;
  return standardised(mean_of(absolute_deviations(recent)) - deviation_mean_, deviation_sigma_, count_,
                      recent.size());
}

}  // namespace glint
