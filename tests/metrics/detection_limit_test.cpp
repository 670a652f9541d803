#include "glint/metrics/detection_limit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/random.h"

namespace glint {
namespace {

const std::vector<double> kSizes = {3, 4.5, 6.8, 10, 15, 23, 34, 51};

/// P = lo + (hi - lo) / (1 + (middle / a)^steepness)
DetectionCurve known(double lower, double upper, double middle, double steepness) {
  return {lower, upper, -steepness * std::log(middle), steepness};
}

std::vector<SizeTrials> simulate(const DetectionCurve& curve, int trials, std::uint64_t seed) {
  Rng rng(seed, "detection_limit_test");
  std::vector<SizeTrials> out;
  for (const double size : kSizes) {
    SizeTrials t{size, trials, 0};
    for (int i = 0; i < trials; ++i) t.hits += rng.uniform() < curve.probability(size) ? 1 : 0;
    out.push_back(t);
  }
  return out;
}

double true_a90(const DetectionCurve& c) {
  const double share = (0.9 - c.lower) / (c.upper - c.lower);
  return std::exp((std::log(share / (1 - share)) - c.offset) / c.steepness);
}

TEST(DetectionLimit, FindsAKnownCurve) {
  const DetectionCurve curve = known(0.04, 0.98, 9, 3.5);
  const DetectionLimit fit = fit_detection_limit(simulate(curve, 4000, 1));
  EXPECT_NEAR(fit.curve.lower, 0.04, 0.02);
  EXPECT_NEAR(fit.curve.upper, 0.98, 0.01);
  ASSERT_TRUE(fit.a90 && fit.a90_95);
  EXPECT_NEAR(*fit.a90 / true_a90(curve), 1, 0.05);
  EXPECT_GT(*fit.a90_95, *fit.a90);
  EXPECT_LT(*fit.a90_95, 1.15 * *fit.a90);
}

TEST(DetectionLimit, PointwiseBoundsCover) {
  constexpr int kExperiments = 60;
  const DetectionCurve curve = known(0.04, 0.98, 9, 3.5);
  const std::vector<double> at = {4.5, 10, 23};
  std::vector<int> covered(at.size(), 0);
  for (int e = 0; e < kExperiments; ++e) {
    const DetectionLimit fit = fit_detection_limit(simulate(curve, 100, 500 + e), at);
    for (std::size_t i = 0; i < at.size(); ++i) {
      const double p = curve.probability(at[i]);
      covered[i] += fit.bounds[i].low <= p && p <= fit.bounds[i].high ? 1 : 0;
    }
  }
  for (const int n : covered) EXPECT_GE(n, static_cast<int>(0.86 * kExperiments));
}

/// The bound must lie above the true size in 95 % of experiments, and the estimate on both sides of it.
TEST(DetectionLimit, TheBoundCoversAsPromised) {
  constexpr int kExperiments = 150;
  for (const DetectionCurve& curve : {known(0.02, 0.995, 7, 4), known(0.1, 0.97, 10, 2.5)}) {
    int covered = 0, below = 0;
    for (int i = 0; i < kExperiments; ++i) {
      const DetectionLimit fit = fit_detection_limit(simulate(curve, 40, 100 + i));
      covered += !fit.a90_95 || *fit.a90_95 >= true_a90(curve) ? 1 : 0;
      below += fit.a90 && *fit.a90 < true_a90(curve) ? 1 : 0;
    }
    EXPECT_GE(covered, static_cast<int>(0.90 * kExperiments));
    EXPECT_GT(below, kExperiments / 5);
    EXPECT_LT(below, 4 * kExperiments / 5);
  }
}

TEST(DetectionLimit, SaysWhenItIsNotReached) {
  const DetectionLimit low = fit_detection_limit(simulate(known(0.02, 0.7, 8, 4), 200, 3));
  EXPECT_FALSE(low.a90_95);
  const DetectionLimit none =
      fit_detection_limit(std::vector<SizeTrials>{{5, 30, 0}, {10, 30, 0}, {20, 30, 0}});
  EXPECT_FALSE(none.a90);
  EXPECT_FALSE(none.a90_95);
}

TEST(DetectionLimit, AllFoundAndAStepHaveFiniteBounds) {
  const DetectionLimit all =
      fit_detection_limit(std::vector<SizeTrials>{{5, 60, 60}, {10, 60, 60}, {20, 60, 60}});
  ASSERT_TRUE(all.a90 && all.a90_95);
  EXPECT_LE(*all.a90_95, 10);
  const DetectionLimit step =
      fit_detection_limit(std::vector<SizeTrials>{{5, 60, 0}, {10, 60, 0}, {20, 60, 60}, {40, 60, 60}});
  ASSERT_TRUE(step.a90 && step.a90_95);
  EXPECT_GT(*step.a90, 9.9);
  EXPECT_LE(*step.a90_95, 20.5);
}

}  // namespace
}  // namespace glint
