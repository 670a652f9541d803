#include "glint/metrics/intervals.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/metrics/arithmetic.h"
#include "glint/metrics/ranking.h"

namespace glint {
namespace {

constexpr double kZ95 = 1.959963984540054;  // 97.5 % quantile of the standard normal

/// Mid-ranks (1-based) of the values.
std::vector<double> mid_ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t j = i;
    while (j < order.size() && values[order[j]] == values[order[i]]) ++j;
    for (std::size_t k = i; k < j; ++k) ranks[order[k]] = 0.5 * static_cast<double>(i + j + 1);
    i = j;
  }
  return ranks;
}

double covariance(const std::vector<double>& a, const std::vector<double>& b) {
  const double mean_a = mean_of(a), mean_b = mean_of(b);
  double s = 0;
  for (std::size_t i = 0; i < a.size(); ++i) s += (a[i] - mean_a) * (b[i] - mean_b);
  return s / static_cast<double>(a.size() - 1);
}

double expit(double x) {
  return 1 / (1 + std::exp(-x));
}

/// Continued fraction of the incomplete beta function (modified Lentz).
double beta_fraction(double x, double a, double b) {
  constexpr double kTiny = 1e-300;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < kTiny ? kTiny : d);
  double h = d;
  for (int m = 1; m < 1000; ++m) {
    for (const double numerator : {m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                                   -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))}) {
      d = 1 + numerator * d;
      c = 1 + numerator / c;
      d = 1 / (std::abs(d) < kTiny ? kTiny : d);
      c = std::abs(c) < kTiny ? kTiny : c;
      h *= d * c;
    }
    if (std::abs(d * c - 1) < 1e-15) break;
  }
  return h;
}

double incomplete_beta(double x, double a, double b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  return x < (a + 1) / (a + b + 2) ? front * beta_fraction(x, a, b) / a
                                   : 1 - front * beta_fraction(1 - x, b, a) / b;
}

}  // namespace

namespace {

/// DeLong's structural components: of each positive the share of negatives below it, of each negative the
/// share of positives above it.
struct Components {
  std::vector<double> positive, negative;

  /// Of the two AUROCs that the components belong to; with itself the variance.
  double mean_covariance(const Components& other) const {
    return covariance(positive, other.positive) / static_cast<double>(positive.size()) +
           covariance(negative, other.negative) / static_cast<double>(negative.size());
  }
};

Components components_of(std::span<const double> scores, std::span<const int> labels) {
  std::vector<double> pos, neg;
  for (std::size_t i = 0; i < scores.size(); ++i) (labels[i] ? pos : neg).push_back(scores[i]);
  const double m = static_cast<double>(pos.size()), n = static_cast<double>(neg.size());
  std::vector<double> all = pos;
  all.insert(all.end(), neg.begin(), neg.end());
  const std::vector<double> rank_all = mid_ranks(all), rank_pos = mid_ranks(pos), rank_neg = mid_ranks(neg);
  Components out;
  for (std::size_t i = 0; i < pos.size(); ++i) out.positive.push_back((rank_all[i] - rank_pos[i]) / n);
  for (std::size_t j = 0; j < neg.size(); ++j)
    out.negative.push_back(1 - (rank_all[pos.size() + j] - rank_neg[j]) / m);
  return out;
}

void add_scaled(std::vector<double>& sum, const std::vector<double>& values, double factor) {
  sum.resize(values.size(), 0);
  for (std::size_t i = 0; i < values.size(); ++i) sum[i] += factor * values[i];
}

Components mean_components(const RepeatedScores& repetitions, std::span<const int> labels) {
  GLINT_CHECK(!repetitions.empty());
  const double share = 1 / static_cast<double>(repetitions.size());
  Components out;
  for (const std::vector<double>& scores : repetitions) {
    GLINT_CHECK(scores.size() == labels.size());
    const Components c = components_of(scores, labels);
    add_scaled(out.positive, c.positive, share);
    add_scaled(out.negative, c.negative, share);
  }
  return out;
}

/// auroc_interval of `value` from its components.
Estimate interval_of(double value, const Components& c) {
  if (c.positive.empty() || c.negative.empty()) return {kNaN, kNaN, kNaN};
  if (c.positive.size() < 2 || c.negative.size() < 2) return {value, 0, 1};
  Estimate out = newcombe_auroc(value, std::ssize(c.negative), std::ssize(c.positive));
  const double var = c.mean_covariance(c);
  if (value > 0 && value < 1 && var > 0) {
    const double half = kZ95 * std::sqrt(var) / (value * (1 - value));
    out.ci_low = std::min(out.ci_low, expit(logit(value) - half));
    out.ci_high = std::max(out.ci_high, expit(logit(value) + half));
  }
  return out;
}

}  // namespace

Estimate paired_interval(const Estimate& a, const Estimate& b, double correlation, std::int64_t units) {
  const double n = static_cast<double>(std::max<std::int64_t>(units, 0));
  const double r = std::isfinite(correlation) ? std::clamp(correlation, -1.0, 1.0) * n / (n + 1) : 0;
  const double value = a.value - b.value;
  auto reach = [&](double of_a, double of_b) {
    return std::sqrt(std::max(0.0, of_a * of_a + of_b * of_b - 2 * r * of_a * of_b));
  };
  return {value, value - reach(a.value - a.ci_low, b.ci_high - b.value),
          value + reach(a.ci_high - a.value, b.value - b.ci_low)};
}

Estimate mean_auroc_interval(const RepeatedScores& repetitions, std::span<const int> labels) {
  double value = 0;
  for (const std::vector<double>& scores : repetitions)
    value += auroc(scores, labels) / static_cast<double>(repetitions.size());
  return interval_of(std::min(value, 1.0), mean_components(repetitions, labels));
}

Estimate auroc_interval(std::span<const double> scores, std::span<const int> labels) {
  return interval_of(auroc(scores, labels), components_of(scores, labels));
}

Estimate mean_auroc_difference(const RepeatedScores& a, const RepeatedScores& b,
                               std::span<const int> labels) {
  const Components ca = mean_components(a, labels), cb = mean_components(b, labels);
  const std::size_t fewer = std::min(ca.positive.size(), ca.negative.size());
  if (fewer < 2) return {kNaN, kNaN, kNaN};
  const double va = ca.mean_covariance(ca), vb = cb.mean_covariance(cb);
  const double correlation = va > 0 && vb > 0 ? ca.mean_covariance(cb) / std::sqrt(va * vb) : 0;
  return paired_interval(mean_auroc_interval(a, labels), mean_auroc_interval(b, labels), correlation,
                         static_cast<std::int64_t>(fewer));
}

std::vector<double> mean_replicates(const std::vector<std::vector<double>>& repetitions) {
  GLINT_CHECK(!repetitions.empty());
  std::vector<double> sum;
  for (const auto& replicates : repetitions) {
    GLINT_CHECK(replicates.size() == repetitions[0].size());
    add_scaled(sum, replicates, 1.0 / static_cast<double>(repetitions.size()));
  }
  return sum;
}

Estimate expected_auroc_interval(double a, std::int64_t good, std::int64_t anomalous) {
  GLINT_CHECK(a > 0 && a < 1 && good >= 2 && anomalous >= 2);
  const auto n = static_cast<double>(good), m = static_cast<double>(anomalous);
  const double q1 = a / (2 - a), q2 = 2 * a * a / (1 + a);
  const double variance = (a * (1 - a) + (m - 1) * (q1 - a * a) + (n - 1) * (q2 - a * a)) / (m * n);
  const double half = kZ95 * std::sqrt(variance) / (a * (1 - a));
  return {a, expit(logit(a) - half), expit(logit(a) + half)};
}

Estimate newcombe_auroc(double auroc, std::int64_t good, std::int64_t anomalous) {
  GLINT_CHECK(auroc >= 0 && auroc <= 1 && good >= 1 && anomalous >= 1);
  const auto n = static_cast<double>(good), m = static_cast<double>(anomalous);
  const double others = (m + n) / 2 - 1;
  auto within = [&](double t) {
    const double variance = t * (1 - t) * (1 + others * (1 - t) / (2 - t) + others * t / (1 + t)) / (m * n);
    return std::abs(t - auroc) <= kZ95 * std::sqrt(variance);
  };
  // The variance shrinks faster than the square of the distance only towards 0 and 1, which are never within
  // unless observed: one crossing on either side.
  auto end = [&](double outside) {
    double inside = auroc;
    for (int i = 0; i < 60; ++i) {
      const double middle = (inside + outside) / 2;
      (within(middle) ? inside : outside) = middle;
    }
    return (inside + outside) / 2;
  };
  return {auroc, auroc <= 0 ? 0 : end(0), auroc >= 1 ? 1 : end(1)};
}

namespace {

Estimate wilson(double p, double n) {
  constexpr double kZ2 = kZ95 * kZ95;
  const double centre = (p + kZ2 / (2 * n)) / (1 + kZ2 / n);
  const double half = kZ95 / (1 + kZ2 / n) * std::sqrt(p * (1 - p) / n + kZ2 / (4 * n * n));
  return {p, p <= 0 ? 0 : std::max(0.0, centre - half), p >= 1 ? 1 : std::min(1.0, centre + half)};
}

/// 2.5 % and 97.5 % quantiles, interpolated.
std::pair<double, double> percentiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  auto quantile = [&](double q) {
    const double pos = q * static_cast<double>(values.size() - 1);
    const auto i = static_cast<std::size_t>(pos);
    const std::size_t j = std::min(i + 1, values.size() - 1);
    return values[i] + (pos - static_cast<double>(i)) * (values[j] - values[i]);
  };
  return {quantile((1 - kConfidence) / 2), quantile((1 + kConfidence) / 2)};
}

constexpr std::size_t kLeastReplicates = 20;
constexpr double kCollapsed = 1e-9;  // replicates closer together than this differ by rounding alone

}  // namespace

Estimate wilson_rate(std::int64_t successes, std::int64_t n) {
  if (n == 0) return {kNaN, 0, 1};
  return wilson(static_cast<double>(successes) / static_cast<double>(n), static_cast<double>(n));
}

Estimate bounded_mean_interval(double mean, std::int64_t n) {
  if (!std::isfinite(mean)) return {kNaN, kNaN, kNaN};
  return n < 2 ? Estimate{mean, 0, 1} : wilson(std::clamp(mean, 0.0, 1.0), static_cast<double>(n));
}

double beta_quantile(double probability, double a, double b) {
  double low = 0, high = 1;
  while (high - low > 1e-12) {
    const double mid = 0.5 * (low + high);
    (incomplete_beta(mid, a, b) < probability ? low : high) = mid;
  }
  return 0.5 * (low + high);
}

double normal_quantile(double probability) {
  GLINT_CHECK(probability > 0.5 && probability < 1);
  double low = 0, high = 40;
  while (high - low > 1e-12) {
    const double mid = 0.5 * (low + high);
    (0.5 * std::erfc(-mid / std::numbers::sqrt2) < probability ? low : high) = mid;
  }
  return 0.5 * (low + high);
}

double student_quantile(double probability, int degrees_of_freedom) {
  GLINT_CHECK(probability > 0.5 && probability < 1 && degrees_of_freedom >= 1);
  // P(|T| > t) is the incomplete beta function of n / (n + t^2) with (n/2, 1/2)
  const double n = degrees_of_freedom, x = beta_quantile(2 * (1 - probability), n / 2, 0.5);
  return std::sqrt(n * (1 - x) / x);
}

double clopper_pearson_upper(std::int64_t successes, std::int64_t n, double confidence) {
  GLINT_CHECK(successes >= 0 && successes <= n);
  if (successes == n) return 1;
  return beta_quantile(confidence, static_cast<double>(successes) + 1, static_cast<double>(n - successes));
}

Estimate bootstrap_interval(double value, std::vector<double> replicates, std::int64_t units) {
  std::erase_if(replicates, [](double v) { return !std::isfinite(v); });
  if (replicates.size() < kLeastReplicates || !std::isfinite(value)) return {value, kNaN, kNaN};
  const auto [low, high] = percentiles(std::move(replicates));
  if (high - low < kCollapsed) return bounded_mean_interval(value, units);
  return {value, std::min(low, value), std::max(high, value)};
}

Estimate bootstrap_difference(const Estimate& a, const Estimate& b, std::span<const double> replicates_a,
                              std::span<const double> replicates_b, std::int64_t units) {
  const double value = a.value - b.value;
  if (replicates_a.size() != replicates_b.size()) return {value, kNaN, kNaN};
  std::vector<double> used_a, used_b, differences;
  for (std::size_t i = 0; i < replicates_a.size(); ++i) {
    if (!std::isfinite(replicates_a[i]) || !std::isfinite(replicates_b[i])) continue;
    used_a.push_back(replicates_a[i]);
    used_b.push_back(replicates_b[i]);
    differences.push_back(replicates_a[i] - replicates_b[i]);
  }
  if (differences.size() < kLeastReplicates || !std::isfinite(value)) return {value, kNaN, kNaN};
  const auto [low, high] = percentiles(std::move(differences));
  if (high - low >= kCollapsed) return {value, std::min(low, value), std::max(high, value)};
  const double spread = std::sqrt(covariance(used_a, used_a) * covariance(used_b, used_b));
  return paired_interval(a, b, spread > kCollapsed * kCollapsed ? covariance(used_a, used_b) / spread : 0,
                         units);
}

Estimate rank_correlation(std::span<const double> a, std::span<const double> b) {
  GLINT_CHECK(a.size() == b.size());
  if (a.size() < 6) return {kNaN, kNaN, kNaN};
  const std::vector<double> ra = mid_ranks({a.begin(), a.end()}), rb = mid_ranks({b.begin(), b.end()});
  const double aa = covariance(ra, ra), bb = covariance(rb, rb);
  if (aa == 0 || bb == 0) return {kNaN, kNaN, kNaN};
  const auto n = static_cast<double>(a.size());
  const double r = std::clamp(covariance(ra, rb) / std::sqrt(aa * bb), -1.0, 1.0);
  const double most = 1 - 6 / (n * (n * n - 1));
  const double z = std::atanh(std::clamp(r, -most, most)), half = kZ95 * std::sqrt(1.06 / (n - 3));
  return {r, std::min(r, std::tanh(z - half)), std::max(r, std::tanh(z + half))};
}

std::vector<int> stratified_resample(std::span<const int> stratum, std::uint64_t seed, int replicate) {
  std::vector<std::pair<int, int>> members;
  for (std::size_t i = 0; i < stratum.size(); ++i) members.emplace_back(stratum[i], static_cast<int>(i));
  std::stable_sort(members.begin(), members.end(), [](auto& a, auto& b) { return a.first < b.first; });
  Rng rng(seed, "bootstrap", replicate);
  std::vector<int> out;
  for (std::size_t begin = 0; begin < members.size();) {
    std::size_t end = begin;
    while (end < members.size() && members[end].first == members[begin].first) ++end;
    for (std::size_t i = begin; i < end; ++i) out.push_back(members[begin + rng.below(end - begin)].second);
    begin = end;
  }
  return out;
}

}  // namespace glint
