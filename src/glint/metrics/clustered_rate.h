// Rates of trials that come in clusters, such as several defects in one photograph: what hides one hides the
// next, so that the clusters count, not the trials.
#pragma once

#include <cstdint>
#include <span>

#include "glint/metrics/intervals.h"

namespace glint {

struct ClusterTrials {
  std::int64_t hits = 0, trials = 0;
};

/// Hits over trials. The interval is symmetric, cut to [0, 1]: the ratio estimator's variance over clusters
/// (Cochran 1977, section 6.3) with the factor K / (K - 1), and t with K - 1 degrees of freedom. Where the
/// clusters do not differ (no hit, every hit) it is bounded_mean_interval over the K clusters. [0, 1] with
/// fewer than two clusters; NaN without a trial.
Estimate clustered_rate(std::span<const ClusterTrials> clusters);

/// Rate of `a` minus rate of `b`, cluster by cluster of the same trials; the same variance of the
/// differences. Where they do not differ it is paired_interval of both rates at correlation 1.
Estimate clustered_difference(std::span<const ClusterTrials> a, std::span<const ClusterTrials> b);

}  // namespace glint
