// Confidence intervals, two-sided 95 % unless said otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace glint {

/// A figure with its interval; NaN bounds mean that no interval could be formed.
struct Estimate {
  double value = 0;
  double ci_low = 0;
  double ci_high = 0;
};

inline constexpr double kConfidence = 0.95;

/// AUROC with DeLong's variance (DeLong 1988; fast form Sun and Xu 2014) and an interval on the logit scale,
/// which stays inside (0, 1). At AUROC 0 or 1, where the variance estimate is 0, the interval's open end is
/// the exact one-sided bound that one misranked pair in the smaller class would give: 0.05^(1/min(n0, n1)).
Estimate delong_auroc(std::span<const double> scores, std::span<const int> labels);

/// Scores of several repetitions (seeds) over the same images, one vector each.
using RepeatedScores = std::vector<std::vector<double>>;

/// Mean AUROC of `a` over its repetitions minus that of `b`, over the same images, with DeLong's paired
/// variance. The mean of AUROCs is itself a two-sample U-statistic, so its structural components are the
/// means of the repetitions' components. The interval is about the images, not about the training's
/// randomness.
Estimate delong_mean_difference(const RepeatedScores& a, const RepeatedScores& b,
                                std::span<const int> labels);

/// The 95 % interval that a test set of this size can be expected to give at a true AUROC: Hanley and McNeil
/// 1982 (their variance for negative exponential scores), on the logit scale. Needs `good`, `anomalous` >= 2.
Estimate expected_auroc_interval(double auroc, std::int64_t good, std::int64_t anomalous);

/// Wilson score interval for k successes of n. n = 0 gives [0, 1] with value NaN.
Estimate wilson_rate(std::int64_t successes, std::int64_t n);

/// Exact (Clopper-Pearson) one-sided upper bound for a rate after k of n, with the given confidence.
double clopper_pearson_upper(std::int64_t successes, std::int64_t n, double confidence = kConfidence);

/// Mean of each repetition's replicates, replicate by replicate: bootstrap replicates of the mean figure.
std::vector<double> mean_replicates(const std::vector<std::vector<double>>& repetitions);

/// Percentile interval of bootstrap replicates around `value`; needs at least 20 finite replicates.
Estimate percentile_interval(double value, std::vector<double> replicates);

/// Resampled indices, stratified: as many from each stratum as it has. Seeded.
std::vector<int> stratified_resample(std::span<const int> stratum, std::uint64_t seed, int replicate);

/// Inverse of the regularised incomplete beta function in x, by bisection to 1e-12.
double beta_quantile(double probability, double a, double b);

}  // namespace glint
