// The order of candidates from made-up results: what each rule decides.
#include "glint/choose/ranking.h"

#include <gtest/gtest.h>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr int kCarriers = 10, kEach = 20;

std::vector<int> carriers() {
  std::vector<int> out;
  for (int t = 0; t < kCarriers * kEach; ++t) out.push_back(t % kCarriers);
  return out;
}

/// Finds the first `hits` rounds of trials, one trial per carrier each, and `uneven` trials more.
CandidateResult result(const std::string& method, int hits, double ms, double excess_p = 1, int uneven = 0) {
  CandidateResult out;
  out.candidate.method = method;
  out.milliseconds_image = ms;
  out.judged_good = kCarriers;
  JudgedScore score;
  score.excess_p = excess_p;
  for (int t = 0; t < kCarriers * kEach; ++t) score.found.push_back(t < hits * kCarriers + uneven);
  out.scores.push_back(score);
  return out;
}

TEST(Ranking, MoreFoundStandsHigherAndWins) {
  const std::vector<CandidateResult> results = {result("padim", 6, 5, 1, 3),
                                                result("patchcore", 14, 50, 1, 5)};
  const Choice choice = rank_candidates(results, carriers());
  ASSERT_EQ(choice.ranking.size(), 2U);
  EXPECT_EQ(ranked_name(results, choice.ranking[0]), "patchcore 288 px");
  EXPECT_EQ(choice.winner, 0U) << "the other is faster, but finds clearly less";
  EXPECT_FALSE(choice.ranking[1].tied);
  EXPECT_GT(choice.ranking[1].behind_best.ci_low, 0);
  EXPECT_NEAR(choice.ranking[1].behind_best.value, 0.41, 1e-9);
  EXPECT_NE(choice.reason.find("patchcore 288 px"), std::string::npos);
}

TEST(Ranking, TheFasterOfTwoThatCannotBeToldApartWins) {
  std::vector<CandidateResult> results = {result("patchcore", 10, 50), result("padim", 10, 20)};
  // One finds carriers 0 to 4 of a round more, the other 5 to 8 of another: a difference of one trial in 200.
  for (int k = 0; k < 5; ++k) results[0].scores[0].found[static_cast<std::size_t>(10 * kCarriers + k)] = true;
  for (int k = 5; k < 9; ++k) results[1].scores[0].found[static_cast<std::size_t>(10 * kCarriers + k)] = true;
  const Choice choice = rank_candidates(results, carriers());
  EXPECT_EQ(ranked_name(results, choice.ranking[0]), "patchcore 288 px") << "the highest share stands first";
  EXPECT_TRUE(choice.ranking[1].tied);
  EXPECT_EQ(choice.winner, 1U);
  EXPECT_NE(choice.reason.find("cannot be told apart"), std::string::npos);
}

TEST(Ranking, EquallyFastOnesKeepTheOrderOfTheList) {
  std::vector<CandidateResult> results = {result("patchcore", 10, 20)};
  results[0].scores.push_back(results[0].scores[0]);
  results[0].scores[1].scoring.image_score = ImageScore::kTopMean;
  results[0].scores[1].found[10 * kCarriers] = true;  // one more than the method's own image score
  const Choice choice = rank_candidates(results, carriers());
  EXPECT_EQ(ranked_name(results, choice.ranking[0]), "patchcore 288 px, top_mean");
  EXPECT_EQ(ranked_name(results, choice.ranking[choice.winner]), "patchcore 288 px");
}

TEST(Ranking, WhoRejectsMoreGoodPartsThanPromisedStandsBelow) {
  const std::vector<CandidateResult> results = {result("padim", 18, 5, 0.01, 3),
                                                result("patchcore", 6, 50, 0.4, 2)};
  const Choice choice = rank_candidates(results, carriers());
  EXPECT_EQ(ranked_name(results, choice.ranking[choice.winner]), "patchcore 288 px");
  EXPECT_TRUE(choice.ranking[1].rejects_too_much);
  EXPECT_FALSE(choice.ranking[1].tied);
  EXPECT_NE(choice.reason.find("1 rank below"), std::string::npos) << choice.reason;
}

TEST(Ranking, WhatWasNotMeasuredIsNotRankedAndNothingToRankIsRefused) {
  std::vector<CandidateResult> results = {result("patchcore", 6, 50, 1, 2), result("padim", 18, 5, 1, 3)};
  results[1].status = CandidateStatus::kOverLatency;
  EXPECT_EQ(rank_candidates(results, carriers()).ranking.size(), 1U);
  results[0].status = CandidateStatus::kRefused;
  results[0].reason = "no pose to learn";
  try {
    rank_candidates(results, carriers());
    FAIL() << "there is nothing to choose from";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("no pose to learn"), std::string::npos);
  }
}

}  // namespace
}  // namespace glint
