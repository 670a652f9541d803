// Rates of clustered trials: values, intervals that follow the clusters, and coverage by simulation.
#include "glint/metrics/clustered_rate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/random.h"

namespace glint {
namespace {

TEST(ClusteredRate, ClustersCountNotTrials) {
  const std::vector<ClusterTrials> mixed(10, {5, 10});
  std::vector<ClusterTrials> split(5, {10, 10});
  split.insert(split.end(), 5, {0, 10});
  EXPECT_DOUBLE_EQ(clustered_rate(mixed).value, 0.5);
  EXPECT_DOUBLE_EQ(clustered_rate(split).value, 0.5);
  const Estimate e = clustered_rate(split);
  // ten clusters of 0 or 1: standard error of their mean 0.5 / 3, times t with 9 degrees of freedom
  EXPECT_NEAR(e.ci_high - e.value, student_quantile(0.975, 9) * 0.5 / 3, 1e-9);
  const Estimate equal = clustered_rate(mixed);
  EXPECT_GT(equal.ci_high - equal.ci_low, 0.1) << "ten clusters that agree are ten, not certainty";
}

TEST(ClusteredRate, FewClustersSayLittle) {
  EXPECT_TRUE(std::isnan(clustered_rate({}).value));
  const std::vector<ClusterTrials> one = {{3, 4}};
  EXPECT_EQ(clustered_rate(one).ci_low, 0);
  EXPECT_EQ(clustered_rate(one).ci_high, 1);
}

TEST(ClusteredRate, CoversWhenClustersDiffer) {
  int covered = 0, covered_difference = 0;
  constexpr int kRuns = 400;
  for (int run = 0; run < kRuns; ++run) {
    Rng rng(5, "test.clustered", run);
    std::vector<ClusterTrials> a, b;
    for (int k = 0; k < 20; ++k) {
      const double hard = rng.uniform(0.1, 0.7);  // mean 0.4
      a.push_back({0, 16});
      b.push_back({0, 16});
      for (int t = 0; t < 16; ++t) {
        const double luck = rng.uniform();
        a.back().hits += luck < hard ? 1 : 0;
        b.back().hits += luck < hard - 0.1 ? 1 : 0;
      }
    }
    const Estimate e = clustered_rate(a), d = clustered_difference(a, b);
    covered += e.ci_low <= 0.4 && e.ci_high >= 0.4 ? 1 : 0;
    covered_difference += d.ci_low <= 0.1 && d.ci_high >= 0.1 ? 1 : 0;
  }
  EXPECT_GE(covered, 0.92 * kRuns);
  EXPECT_GE(covered_difference, 0.92 * kRuns);
}

TEST(ClusteredDifference, IsPairedAndNeverCertain) {
  std::vector<ClusterTrials> a, b;
  for (int k = 0; k < 12; ++k) {
    a.push_back({k % 8 + 2, 10});
    b.push_back({k % 8 + (k % 3 == 0 ? 1 : 0), 10});
  }
  const Estimate d = clustered_difference(a, b);
  EXPECT_GT(d.ci_low, 0) << "every cluster agrees on the sign, though clusters differ widely";
  const Estimate same = clustered_difference(a, a);
  EXPECT_EQ(same.value, 0);
  EXPECT_LT(same.ci_low, 0);
  EXPECT_GT(same.ci_high, 0);
}

}  // namespace
}  // namespace glint
