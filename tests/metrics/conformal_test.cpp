#include "glint/metrics/conformal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "glint/base/error.h"
#include "glint/base/random.h"

namespace glint {
namespace {

TEST(Conformal, GuaranteeHoldsOnAverage) {
  double rejected = 0;
  constexpr int kRuns = 2000, kN = 64, kNew = 20;
  for (int r = 0; r < kRuns; ++r) {
    Rng rng(5, "conformal", r);
    std::vector<double> good;
    for (int i = 0; i < kN; ++i) good.push_back(rng.normal());
    const ConformalThreshold c = conformal_threshold(good, 0.05);
    EXPECT_LE(c.guaranteed_rate, 0.05);
    for (int i = 0; i < kNew; ++i) rejected += rng.normal() > c.threshold ? 1 : 0;
  }
  // 3/65 = 0.0462 exactly. Of one calibration the rate is Beta(3, 62) with deviation 0.0258, which leaves a
  // standard error of 0.0012; a threshold one rank off would reject 2/65 = 0.031 or 4/65 = 0.062.
  EXPECT_NEAR(rejected / (kRuns * kNew), 3.0 / 65, 0.005);
}

TEST(Conformal, RefusesAPromiseItCannotKeep) {
  const std::vector<double> good(50, 0.0);
  EXPECT_EQ(images_needed(0.01), 99);
  EXPECT_EQ(images_needed(0.02), 49);
  EXPECT_NO_THROW(conformal_threshold(std::vector<double>(49, 0.0), 0.02));
  try {
    conformal_threshold(good, 0.01);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("99 images"), std::string::npos) << e.what();
  }
}

TEST(Conformal, PromisesWhatTheImagesAllowWhenNothingIsWished) {
  EXPECT_EQ(promisable_rate(1000), 0.01);
  EXPECT_EQ(promisable_rate(99), 0.01);
  EXPECT_EQ(promisable_rate(98), 0.02);
  EXPECT_EQ(promisable_rate(64), 0.02);
  EXPECT_EQ(promisable_rate(10), 0.1);
  EXPECT_EQ(promisable_rate(1), 0.5);
  EXPECT_THROW(promisable_rate(0), Error);
  for (int n = 1; n < 200; ++n)
    EXPECT_NO_THROW(conformal_threshold(std::vector<double>(n, 0.0), promisable_rate(n)));
}

/// How often the p-value of a new good part is at most j / (n + 1), for each j, over fresh calibrations.
std::vector<double> p_value_distribution(int n, int worlds, const std::function<double(Rng&)>& good_part) {
  std::vector<double> at_most(static_cast<std::size_t>(n) + 2, 0);
  for (int world = 0; world < worlds; ++world) {
    Rng rng(9, "p-values", world);
    std::vector<double> good;
    for (int i = 0; i < n; ++i) good.push_back(good_part(rng));
    std::sort(good.begin(), good.end());
    const double p = conformal_p_value(good, good_part(rng));
    for (int j = 0; j <= n + 1; ++j) at_most[j] += p <= static_cast<double>(j) / (n + 1) + 1e-12;
  }
  for (double& share : at_most) share /= worlds;
  return at_most;
}

TEST(Conformal, PValuesOfGoodPartsAreUniformAndWithTiesNeverTooSmall) {
  constexpr int kN = 19, kWorlds = 20000;
  const auto exact = p_value_distribution(kN, kWorlds, [](Rng& rng) { return rng.normal(); });
  const auto tied = p_value_distribution(kN, kWorlds, [](Rng& rng) { return std::round(rng.normal()); });
  for (int j = 0; j <= kN + 1; ++j) {
    const double t = static_cast<double>(j) / (kN + 1), error = std::sqrt(t * (1 - t) / kWorlds);
    EXPECT_NEAR(exact[j], t, 4 * error + 1e-12) << t;
    EXPECT_LE(tied[j], t + 4 * error + 1e-12) << t;
  }
  EXPECT_LT(tied[4], 0.15) << "ties make p-values larger than uniform ones";
}

TEST(Conformal, TiesAndAConstantDetectorNeverBreakThePromise) {
  // Scores on few levels: the k-th smallest is shared, and a part that ties with it is accepted.
  int rejected = 0;
  constexpr int kWorlds = 20000, kN = 39;
  for (int world = 0; world < kWorlds; ++world) {
    Rng rng(6, "ties", world);
    std::vector<double> good;
    for (int i = 0; i < kN; ++i) good.push_back(static_cast<double>(rng.below(4)));
    rejected += static_cast<double>(rng.below(4)) > conformal_threshold(good, 0.1).threshold;
  }
  EXPECT_LE(static_cast<double>(rejected) / kWorlds, 0.1);
  const std::vector<double> constant(kN, 7.0);
  const ConformalThreshold c = conformal_threshold(constant, 0.1);
  EXPECT_EQ(c.threshold, 7.0);
  EXPECT_FALSE(7.0 > c.threshold);
  EXPECT_EQ(conformal_p_value(constant, 7.0), 1.0);
  EXPECT_EQ(conformal_p_value(constant, 7.5), 1.0 / (kN + 1));
}

TEST(Conformal, RejectsBeyondThePromiseAreCountedWithTheThresholdsOwnChance) {
  constexpr int kRuns = 4000, kN = 25, kParts = 20;
  int alarms = 0;
  double share_of_three = 0, p_of_three = 0;
  for (int r = 0; r < kRuns; ++r) {
    Rng rng(11, "conformal.excess", r);
    std::vector<double> good;
    for (int i = 0; i < kN; ++i) good.push_back(rng.uniform());
    const ConformalThreshold c = conformal_threshold(good, 0.05);
    int rejected = 0;
    for (int i = 0; i < kParts; ++i) rejected += rng.uniform() > c.threshold ? 1 : 0;
    alarms += excess_rejects_p_value(c, rejected, kParts) < 0.05 ? 1 : 0;
    share_of_three += rejected >= 3 ? 1.0 / kRuns : 0;
    p_of_three = excess_rejects_p_value(c, 3, kParts);
  }
  EXPECT_LE(alarms, 0.06 * kRuns);
  EXPECT_NEAR(p_of_three, share_of_three, 0.015) << "exact, not the binomial of the promised rate";
  const ConformalThreshold c = conformal_threshold(std::vector<double>(kN, 0.0), 0.05);
  EXPECT_EQ(excess_rejects_p_value(c, 0, kParts), 1);
  EXPECT_LT(excess_rejects_p_value(c, kParts, kParts), 1e-6);
}

}  // namespace
}  // namespace glint
