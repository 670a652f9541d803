#include "glint/detect/scoring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "glint/base/random.h"

namespace glint {
namespace {

TEST(TailProbability, FollowsTheEmpiricalPValuesAndKeepsOrderBeyondThem) {
  std::vector<double> scores;
  for (int i = 1; i <= 99; ++i) scores.push_back(i);
  const TailProbability tail(scores);
  for (const int s : {1, 20, 50, 79}) {
    EXPECT_NEAR(tail.surprise(s), -std::log((100.0 - s + 1) / 100), 1e-9) << s;
  }
  double last = -1;
  for (double s = -5; s < 400; s += 0.25) {
    EXPECT_GE(tail.surprise(s), last - 1e-12) << s;
    last = tail.surprise(s);
  }
  EXPECT_GT(tail.surprise(300), tail.surprise(200)) << "far beyond every good part";
  const TailProbability flat(std::vector<double>(10, 2.0));
  EXPECT_GT(flat.surprise(3), flat.surprise(2));
}

/// A hybrid's scores of a good part: two correlated normal values, spread over small maps.
PatchScores good_part(Rng& rng) {
  const double shared = rng.normal();
  PatchScores out{ScoreMap(4, 4), ScoreMap(6, 6)};
  out.map.values[5] = static_cast<float>(3 + 0.7 * shared + 0.7 * rng.normal());
  out.decision.values[7] = static_cast<float>(30 + 5 * (0.7 * shared + 0.7 * rng.normal()));
  return out;
}

TEST(Scorer, CombinedScoreHoldsItsFalseRejectRateOnAverage) {
  // The p-value scales are made from the same good parts as the threshold, so that the split-conformal bound
  // is not exact. How far is it off? 300 calibrations with 60 parts, 40 new parts each, promised 10 %.
  ScoringOptions options;
  options.smoothing_sigma = 0;
  constexpr int kWorlds = 300, kCalibration = 60, kNew = 40;
  const int k = static_cast<int>(std::ceil((kCalibration + 1) * 0.9));
  int rejected = 0;
  for (int world = 0; world < kWorlds; ++world) {
    Rng rng(11, "hybrid", world);
    std::vector<PatchScores> calibration;
    for (int i = 0; i < kCalibration; ++i) calibration.push_back(good_part(rng));
    const Scorer scorer(options, {12, 12}, calibration);
    std::vector<double> scores;
    for (const PatchScores& p : calibration) scores.push_back(scorer.score(p));
    std::sort(scores.begin(), scores.end());
    for (int i = 0; i < kNew; ++i) rejected += scorer.score(good_part(rng)) > scores[k - 1];
  }
  const double rate = static_cast<double>(rejected) / (kWorlds * kNew);
  EXPECT_LT(rate, 0.115);
  EXPECT_GT(rate, 0.08);
}

TEST(Scorer, OneKindOfScoreIsPassedThrough) {
  ScoringOptions options;
  options.smoothing_sigma = 0;
  PatchScores patches{ScoreMap(4, 4, 1.0F), {}};
  patches.map.values[3] = 5;
  const Scorer scorer(options, {4, 4}, {patches});
  EXPECT_DOUBLE_EQ(scorer.score(patches), 5.0);
}

}  // namespace
}  // namespace glint
