#include "glint/metrics/conformal.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/metrics/intervals.h"

namespace glint {
namespace {

constexpr double kRounding = 1e-9;  // 1/(n+1) and 1 - rate are not exact in binary

}  // namespace

std::int64_t images_needed(double rate) {
  return static_cast<std::int64_t>(std::ceil(1 / rate - kRounding)) - 1;
}

double promisable_rate(std::int64_t images) {
  for (const double rate : {0.01, 0.02, 0.05, 0.1, 0.2, 0.5}) {
    if (images_needed(rate) <= images) return rate;
  }
  fail(ErrorCode::kConfig, "no good image is left to calibrate with; add good images");
}

ConformalThreshold conformal_threshold(std::span<const double> good_scores, double rate) {
  if (!(rate > 0 && rate < 1))
    fail(ErrorCode::kConfig, "false-reject rate {}: must lie between 0 and 1", rate);
  const auto n = static_cast<std::int64_t>(good_scores.size());
  const auto k = static_cast<std::int64_t>(std::ceil(static_cast<double>(n + 1) * (1 - rate) - kRounding));
  if (k > n) {
    fail(ErrorCode::kConfig,
         "a false-reject rate of {} cannot be promised from {} good calibration images: the least is "
         "{:.4g}, and {} would need {} images; ask for a higher rate or add good images",
         rate, n, 1.0 / static_cast<double>(n + 1), rate, images_needed(rate));
  }
  std::vector<double> sorted(good_scores.begin(), good_scores.end());
  std::sort(sorted.begin(), sorted.end());
  ConformalThreshold out;
  out.threshold = sorted[static_cast<std::size_t>(std::max<std::int64_t>(k, 1) - 1)];
  out.wished_rate = rate;
  out.guaranteed_rate = 1 - static_cast<double>(k) / static_cast<double>(n + 1);
  out.smallest_rate = 1.0 / static_cast<double>(n + 1);
  out.realised_upper = beta_quantile(kConfidence, static_cast<double>(n + 1 - k), static_cast<double>(k));
  out.good_images = n;
  return out;
}

double conformal_p_value(std::span<const double> sorted, double score) {
  const auto at_least = sorted.end() - std::lower_bound(sorted.begin(), sorted.end(), score);
  return static_cast<double>(1 + at_least) / static_cast<double>(sorted.size() + 1);
}

double excess_rejects_p_value(const ConformalThreshold& threshold, std::int64_t rejected,
                              std::int64_t parts) {
  GLINT_CHECK(rejected >= 0 && rejected <= parts);
  const auto n = static_cast<double>(threshold.good_images);
  const double above = std::round(threshold.guaranteed_rate * (n + 1)), below = n + 1 - above;
  if (rejected == 0 || parts == 0) return 1;
  if (above <= 0) return 0;
  const auto log_beta = [](double a, double b) {
    return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
  };
  const auto m = static_cast<double>(parts);
  double sum = 0;
  for (std::int64_t i = rejected; i <= parts; ++i) {
    const auto x = static_cast<double>(i);
    sum += std::exp(-std::log(m + 1) - log_beta(m - x + 1, x + 1) + log_beta(x + above, m - x + below) -
                    log_beta(above, below));
  }
  return std::min(1.0, sum);
}

}  // namespace glint
