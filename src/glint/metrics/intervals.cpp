#include "glint/metrics/intervals.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/metrics/ranking.h"

namespace glint {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
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

double variance(const std::vector<double>& v) {
  const double mean = std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
  double s = 0;
  for (const double x : v) s += (x - mean) * (x - mean);
  return s / static_cast<double>(v.size() - 1);
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

  double mean_variance() const {
    return variance(positive) / static_cast<double>(positive.size()) +
           variance(negative) / static_cast<double>(negative.size());
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

}  // namespace

Estimate delong_mean_difference(const RepeatedScores& a, const RepeatedScores& b,
                                std::span<const int> labels) {
  GLINT_CHECK(!a.empty() && !b.empty());
  Components sum;
  for (const auto& [repetitions, sign] : {std::pair(&a, 1.0), std::pair(&b, -1.0)}) {
    for (const std::vector<double>& scores : *repetitions) {
      GLINT_CHECK(scores.size() == labels.size());
      const Components c = components_of(scores, labels);
      add_scaled(sum.positive, c.positive, sign / static_cast<double>(repetitions->size()));
      add_scaled(sum.negative, c.negative, sign / static_cast<double>(repetitions->size()));
    }
  }
  if (sum.positive.size() < 2 || sum.negative.size() < 2) return {kNaN, kNaN, kNaN};
  const double value = std::accumulate(sum.positive.begin(), sum.positive.end(), 0.0) /
                       static_cast<double>(sum.positive.size());
  const double half = kZ95 * std::sqrt(sum.mean_variance());
  return {value, std::max(-1.0, value - half), std::min(1.0, value + half)};
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

Estimate delong_auroc(std::span<const double> scores, std::span<const int> labels) {
  const auto m =
      static_cast<double>(std::count_if(labels.begin(), labels.end(), [](int l) { return l != 0; }));
  const double n = static_cast<double>(labels.size()) - m;
  const double value = auroc(scores, labels);
  if (m < 2 || n < 2) return {value, m > 0 && n > 0 ? 0 : kNaN, m > 0 && n > 0 ? 1 : kNaN};
  const double var = components_of(scores, labels).mean_variance();
  const double edge = std::pow(1 - kConfidence, 1 / std::min(m, n));
  if (value >= 1) return {value, edge, 1};
  if (value <= 0) return {value, 0, 1 - edge};
  const double logit = std::log(value / (1 - value));
  const double half = kZ95 * std::sqrt(var) / (value * (1 - value));
  auto expit = [](double x) { return 1 / (1 + std::exp(-x)); };
  return {value, expit(logit - half), expit(logit + half)};
}

Estimate expected_auroc_interval(double a, std::int64_t good, std::int64_t anomalous) {
  GLINT_CHECK(a > 0 && a < 1 && good >= 2 && anomalous >= 2);
  const auto n = static_cast<double>(good), m = static_cast<double>(anomalous);
  const double q1 = a / (2 - a), q2 = 2 * a * a / (1 + a);
  const double variance = (a * (1 - a) + (m - 1) * (q1 - a * a) + (n - 1) * (q2 - a * a)) / (m * n);
  const double logit = std::log(a / (1 - a)), half = kZ95 * std::sqrt(variance) / (a * (1 - a));
  auto expit = [](double x) { return 1 / (1 + std::exp(-x)); };
  return {a, expit(logit - half), expit(logit + half)};
}

Estimate wilson_rate(std::int64_t successes, std::int64_t n) {
  if (n == 0) return {kNaN, 0, 1};
  const double p = static_cast<double>(successes) / static_cast<double>(n), z2 = kZ95 * kZ95;
  const double nn = static_cast<double>(n);
  const double centre = (p + z2 / (2 * nn)) / (1 + z2 / nn);
  const double half = kZ95 / (1 + z2 / nn) * std::sqrt(p * (1 - p) / nn + z2 / (4 * nn * nn));
  return {p, successes == 0 ? 0 : std::max(0.0, centre - half),
          successes == n ? 1 : std::min(1.0, centre + half)};
}

double beta_quantile(double probability, double a, double b) {
  double low = 0, high = 1;
  while (high - low > 1e-12) {
    const double mid = 0.5 * (low + high);
    (incomplete_beta(mid, a, b) < probability ? low : high) = mid;
  }
  return 0.5 * (low + high);
}

double clopper_pearson_upper(std::int64_t successes, std::int64_t n, double confidence) {
  GLINT_CHECK(successes >= 0 && successes <= n);
  if (successes == n) return 1;
  return beta_quantile(confidence, static_cast<double>(successes) + 1, static_cast<double>(n - successes));
}

Estimate percentile_interval(double value, std::vector<double> replicates) {
  std::erase_if(replicates, [](double v) { return !std::isfinite(v); });
  if (replicates.size() < 20) return {value, kNaN, kNaN};
  std::sort(replicates.begin(), replicates.end());
  auto quantile = [&](double q) {
    const double pos = q * static_cast<double>(replicates.size() - 1);
    const auto i = static_cast<std::size_t>(pos);
    const std::size_t j = std::min(i + 1, replicates.size() - 1);
    return replicates[i] + (pos - static_cast<double>(i)) * (replicates[j] - replicates[i]);
  };
  return {value, quantile((1 - kConfidence) / 2), quantile((1 + kConfidence) / 2)};
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
