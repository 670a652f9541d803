#include "glint/metrics/detection_limit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

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

/// Trials in few photographs, some of which hide defects better than others: a normal shift of the curve's
/// logit per carrier.
struct Carriers {
  double middle = 9, steepness = 3.5, spread = 1.3;
  int carriers = 12, trials = 36;

  std::vector<SizeTrials> simulate(std::uint64_t seed) const {
    Rng rng(seed, "carriers");
    std::vector<double> shift;
    for (int c = 0; c < carriers; ++c) shift.push_back(spread * rng.normal());
    std::vector<SizeTrials> out;
    for (const double size : kSizes) {
      const double at = steepness * std::log(size / middle);
      for (int c = 0; c < carriers; ++c) {
        SizeTrials t{size, trials / carriers, 0, c};
        for (int i = 0; i < trials / carriers; ++i)
          t.hits += rng.uniform() < 1 / (1 + std::exp(-at - shift[c])) ? 1 : 0;
        out.push_back(t);
      }
    }
    return out;
  }
  /// Over all carriers that could be drawn.
  double probability(double size) const {
    double sum = 0, weight = 0;
    for (double z = -6; z <= 6; z += 0.01) {
      const double w = std::exp(-z * z / 2);
      weight += w;
      sum += w / (1 + std::exp(-steepness * std::log(size / middle) - spread * z));
    }
    return sum / weight;
  }
  double a90() const {
    double low = 1, high = 1000;
    while (high - low > 1e-6) {
      const double size = (low + high) / 2;
      (probability(size) < 0.9 ? low : high) = size;
    }
    return low;
  }
};

std::vector<SizeTrials> as_independent(std::vector<SizeTrials> trials) {
  for (SizeTrials& t : trials) t.carrier = SizeTrials::kIndependent;
  return trials;
}

TEST(DetectionLimit, BoundsCoverAlsoWhenPhotographsCarrySeveralDefects) {
  constexpr int kExperiments = 100;
  const Carriers world;
  const double truth = world.a90();
  const std::vector<double> at = {6.8, 15};
  int covered = 0, covered_independent = 0, points = 0, points_independent = 0;
  for (int e = 0; e < kExperiments; ++e) {
    const std::vector<SizeTrials> trials = world.simulate(300 + e);
    const DetectionLimit clustered = fit_detection_limit(trials, at);
    const DetectionLimit independent = fit_detection_limit(as_independent(trials), at);
    EXPECT_EQ(clustered.a90, independent.a90) << "clustering changes bounds, not the fit";
    EXPECT_EQ(independent.design_effect, 1);
    covered += !clustered.a90_95 || *clustered.a90_95 >= truth ? 1 : 0;
    covered_independent += !independent.a90_95 || *independent.a90_95 >= truth ? 1 : 0;
    for (std::size_t i = 0; i < at.size(); ++i) {
      const double p = world.probability(at[i]);
      points += clustered.bounds[i].low <= p && p <= clustered.bounds[i].high ? 1 : 0;
      points_independent += independent.bounds[i].low <= p && p <= independent.bounds[i].high ? 1 : 0;
    }
  }
  std::printf("a90/95 covers %d of %d, as independent %d; curve %d of %d, as independent %d\n", covered,
              kExperiments, covered_independent, points, 2 * kExperiments, points_independent);
  // 87 and 76 of 100 (docs/limit.md): a dozen photographs that differ so much say too little of the next one.
  EXPECT_GE(covered, 85);
  EXPECT_LE(covered_independent, covered - 8);
  EXPECT_GE(points, 184);
  EXPECT_LT(points_independent, 170);
}

TEST(DetectionLimit, CarriersThatDoNotDifferCostLittle) {
  Carriers world;
  world.spread = 0;
  double effect = 0;
  for (int e = 0; e < 20; ++e) effect += fit_detection_limit(world.simulate(900 + e)).design_effect / 20;
  EXPECT_LT(effect, 1.6);
  world.spread = 2;
  double clustered = 0;
  for (int e = 0; e < 20; ++e) clustered += fit_detection_limit(world.simulate(900 + e)).design_effect / 20;
  EXPECT_GT(clustered, 2 * effect);
}

TEST(DetectionLimit, AllFoundInFewPhotographsIsNotManyTrials) {
  // 200 of 200 in 5 photographs: it may be these photographs. 5 successes bound a rate at 0.55, not at 0.9.
  std::vector<SizeTrials> trials;
  for (const double size : {5.0, 10.0, 20.0})
    for (int c = 0; c < 5; ++c) trials.push_back({size, 40, 40, c});
  EXPECT_FALSE(fit_detection_limit(trials).a90_95);
  EXPECT_TRUE(fit_detection_limit(as_independent(trials)).a90_95);
  trials.clear();
  for (const double size : {5.0, 10.0, 20.0})
    for (int c = 0; c < 100; ++c) trials.push_back({size, 2, 2, c});
  EXPECT_TRUE(fit_detection_limit(trials).a90_95) << "a hundred photographs are enough";
}

}  // namespace
}  // namespace glint
