#include "glint/metrics/control_chart.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/random.h"

namespace glint {
namespace {

/// Skewed as scores of good parts are: a gamma with shape 4 (sum of exponentials), mean 4, deviation 2.
double skewed(Rng& rng) {
  double sum = 0;
  for (int k = 0; k < 4; ++k) sum -= std::log(1 - rng.uniform());
  return sum;
}

std::vector<double> sample(Rng& rng, int n) {
  std::vector<double> out;
  for (int i = 0; i < n; ++i) out.push_back(skewed(rng));
  return out;
}

TEST(ControlChart, LimitsAreThreeDeviationsFromTheCentre) {
  const DriftReference reference({1, 2, 3, 4, 5});
  EXPECT_DOUBLE_EQ(reference.limits().centre, 3);
  EXPECT_NEAR(reference.limits().upper, 3 + 3 * std::sqrt(2.5), 1e-12);
  EXPECT_NEAR(reference.limits().lower, 3 - 3 * std::sqrt(2.5), 1e-12);
}

TEST(ControlChart, AConstantReferenceNoticesAnyChange) {
  const DriftReference reference({2, 2, 2});
  const std::vector<double> same(25, 2.0), other(25, 2.1);
  EXPECT_EQ(reference.mean_shift(same), 0);
  EXPECT_TRUE(std::isinf(reference.mean_shift(other)));
}

/// Warnings in `parts` parts after a reference of `n`, the window sliding part by part.
bool warns(Rng& rng, int n, int parts, double shift, double spread, int* first = nullptr) {
  const DriftReference reference(sample(rng, n));
  std::vector<double> all;
  for (int i = 0; i < parts; ++i) {
    all.push_back(4 + shift + spread * (skewed(rng) - 4));
    if (i + 1 < kDriftWindow) continue;
    const auto recent = std::span(all).last(kDriftWindow);
    if (std::abs(reference.mean_shift(recent)) > kDriftBound ||
        reference.spread_shift(recent) > kDriftBound) {
      if (first != nullptr) *first = i + 1;
      return true;
    }
  }
  return false;
}

TEST(ControlChart, SeldomWarnsInControl) {
  int false_alarms = 0;
  for (int run = 0; run < 200; ++run) {
    Rng rng(11, "in control", run);
    false_alarms += warns(rng, 100, 10000, 0, 1) ? 1 : 0;
  }
  EXPECT_LE(false_alarms, 20);
}

TEST(ControlChart, FindsAShiftAndASpreadWithinAFewWindows) {
  int shifts = 0, spreads = 0;
  for (int run = 0; run < 100; ++run) {
    Rng rng(12, "shift", run);
    shifts += warns(rng, 100, 3 * kDriftWindow, 3, 1) ? 1 : 0;     // 1.5 deviations
    spreads += warns(rng, 100, 3 * kDriftWindow, 0, 2.5) ? 1 : 0;  // 2.5 times as wide
  }
  EXPECT_GE(shifts, 95);
  EXPECT_GE(spreads, 90);
}

}  // namespace
}  // namespace glint
