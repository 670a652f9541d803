#include "glint/metrics/clustered_rate.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "glint/base/error.h"
#include "glint/metrics/arithmetic.h"

namespace glint {
namespace {

constexpr double kUpperTail = (1 + kConfidence) / 2;

/// Half the width of the interval of sum(values) / sum(trials); 0 when no cluster differs from the ratio.
double half_width(const std::vector<double>& values, std::span<const ClusterTrials> clusters, double ratio,
                  double trials) {
  double squares = 0;
  for (std::size_t k = 0; k < values.size(); ++k) {
    const double residual = values[k] - ratio * static_cast<double>(clusters[k].trials);
    squares += residual * residual;
  }
  const auto count = static_cast<double>(values.size());
  if (squares < 1e-12) return 0;
  return student_quantile(kUpperTail, static_cast<int>(values.size()) - 1) *
         std::sqrt(count / (count - 1) * squares) / trials;
}

double trials_of(std::span<const ClusterTrials> clusters) {
  double sum = 0;
  for (const ClusterTrials& c : clusters) sum += static_cast<double>(c.trials);
  return sum;
}

}  // namespace

Estimate clustered_rate(std::span<const ClusterTrials> clusters) {
  const double trials = trials_of(clusters);
  if (trials == 0) return {kNaN, kNaN, kNaN};
  std::vector<double> hits;
  double sum = 0;
  for (const ClusterTrials& c : clusters) {
    hits.push_back(static_cast<double>(c.hits));
    sum += hits.back();
  }
  const double rate = sum / trials;
  if (clusters.size() < 2) return {rate, 0, 1};
  const double half = half_width(hits, clusters, rate, trials);
  if (half == 0) return bounded_mean_interval(rate, std::ssize(clusters));
  return {rate, std::max(0.0, rate - half), std::min(1.0, rate + half)};
}

Estimate clustered_difference(std::span<const ClusterTrials> a, std::span<const ClusterTrials> b) {
  GLINT_CHECK(a.size() == b.size());
  const double trials = trials_of(a);
  if (trials == 0) return {kNaN, kNaN, kNaN};
  std::vector<double> differences;
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    GLINT_CHECK(a[k].trials == b[k].trials);
    differences.push_back(static_cast<double>(a[k].hits - b[k].hits));
    sum += differences.back();
  }
  const double difference = sum / trials;
  const double half = a.size() < 2 ? 0 : half_width(differences, a, difference, trials);
  if (half == 0) return paired_interval(clustered_rate(a), clustered_rate(b), 1, std::ssize(a));
  return {difference, difference - half, difference + half};
}

}  // namespace glint
