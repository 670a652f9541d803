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

/// AUROC over a sample. The interval is the wider, end by end, of two:
/// - DeLong's variance (DeLong 1988; fast form Sun and Xu 2014) on the logit scale, which follows the scores
/// at
///   hand, but collapses at AUROC 0 and 1, when all scores tie, and is too narrow close to 0 and 1;
/// - Newcombe's method 5 (Statistics in Medicine 25, 2006): the AUROCs whose Hanley-McNeil variance, with
/// both
///   sample sizes replaced by their mean, puts the observed one within 1.96 standard deviations. It depends
///   on the AUROC and the two counts only, and always has width.
/// With fewer than two of a kind it is [0, 1]; NaN when one kind is absent.
Estimate auroc_interval(std::span<const double> scores, std::span<const int> labels);

/// Newcombe's method 5 alone, of an AUROC over `good` and `anomalous` >= 1 images.
Estimate newcombe_auroc(double auroc, std::int64_t good, std::int64_t anomalous);

/// Scores of several repetitions (seeds) over the same images, one vector each.
using RepeatedScores = std::vector<std::vector<double>>;

/// Mean AUROC of the repetitions; interval as auroc_interval's. The mean of AUROCs is itself a two-sample
/// U-statistic, so its structural components are the means of the repetitions' components. The interval is
/// about the images, not about the training's randomness.
Estimate mean_auroc_interval(const RepeatedScores& repetitions, std::span<const int> labels);

/// Mean AUROC of `a` over its repetitions minus that of `b`, over the same images. Recovered from both
/// figures' intervals and their correlation (paired_interval), which DeLong's components estimate: Zou and
/// Yue 2013. NaN bounds with fewer than two images of a kind.
Estimate mean_auroc_difference(const RepeatedScores& a, const RepeatedScores& b, std::span<const int> labels);

/// a - b of two figures over the same sample from their intervals (MOVER: Zou and Donner 2008). `correlation`
/// of the two estimates came from `units` sampled units; it is shrunk by units / (units + 1), as one further
/// unit on which the figures do not go together would, so that two that agree on a finite sample do not get
/// an interval of width zero. NaN counts as 0.
Estimate paired_interval(const Estimate& a, const Estimate& b, double correlation, std::int64_t units);

/// The 95 % interval that a test set of this size can be expected to give at a true AUROC: Hanley and McNeil
/// 1982 (their variance for negative exponential scores), on the logit scale. Needs `good`, `anomalous` >= 2.
Estimate expected_auroc_interval(double auroc, std::int64_t good, std::int64_t anomalous);

/// Wilson score interval for k successes of n. n = 0 gives [0, 1] with value NaN.
Estimate wilson_rate(std::int64_t successes, std::int64_t n);

/// Wilson's interval for the mean of n independent values in [0, 1]. No such mean has a larger variance than
/// a rate (Bhatia and Davis 2000), so it is wide, but it needs no spread in the sample. n < 2 gives [0, 1].
Estimate bounded_mean_interval(double mean, std::int64_t n);

/// Exact (Clopper-Pearson) one-sided upper bound for a rate after k of n, with the given confidence.
double clopper_pearson_upper(std::int64_t successes, std::int64_t n, double confidence = kConfidence);

/// Mean of each repetition's replicates, replicate by replicate: bootstrap replicates of the mean figure.
std::vector<double> mean_replicates(const std::vector<std::vector<double>>& repetitions);

/// Percentile interval of bootstrap replicates of a figure in [0, 1], widened to hold `value` where the
/// bootstrap's bias left it outside. Needs at least 20 finite replicates, else NaN bounds. Replicates that
/// are all equal say nothing of the spread (a perfect or a constant detector): then it is
/// bounded_mean_interval over `units`, the independent units resampled; take the smaller class's.
Estimate bootstrap_interval(double value, std::vector<double> replicates, std::int64_t units);

/// Difference of two such figures by the percentiles of the paired replicates' differences; from the two
/// intervals (paired_interval) when those are all equal.
Estimate bootstrap_difference(const Estimate& a, const Estimate& b, std::span<const double> replicates_a,
                              std::span<const double> replicates_b, std::int64_t units);

/// Spearman's rank correlation, mid-ranks for ties: Fisher's interval with variance 1.06 / (n - 3) (Fieller,
/// Hartley and Pearson 1957). At +-1, where Fisher's transform has no end, half of the smallest step that a
/// correlation of n ranks can take (two neighbours exchanged: 6 / (n (n^2 - 1)) of half a step) is taken off
/// first. NaN with fewer than six pairs or when one side is constant.
Estimate rank_correlation(std::span<const double> a, std::span<const double> b);

/// Resampled indices, stratified: as many from each stratum as it has. Seeded.
std::vector<int> stratified_resample(std::span<const int> stratum, std::uint64_t seed, int replicate);

/// Inverse of the regularised incomplete beta function in x, by bisection to 1e-12.
double beta_quantile(double probability, double a, double b);

/// Quantiles above 0.5 of the standard normal and of Student's t.
double normal_quantile(double probability);
double student_quantile(double probability, int degrees_of_freedom);

}  // namespace glint
