// Who is trained within a budget, who is not, and that nothing is done twice; with candidates that only say
// how long they take.
#include "glint/choose/budget.h"

#include <gtest/gtest.h>

#include "glint/base/error.h"

namespace glint {
namespace {

class BudgetTest : public ::testing::Test {
 protected:
  BudgetTest() {
    for (const char* method : {"patchcore", "padim", "simplenet", "dfm"}) {
      candidates_.emplace_back();
      candidates_.back().method = method;
    }
    steps_.identity = [](const Candidate& c) { return "id of " + c.method; };
    steps_.run = [this](const Candidate& c) {
      trained_.push_back(c.method);
      if (c.method == refused_) fail(ErrorCode::kBadInput, "no registration");
      CandidateResult out;
      out.candidate = c;
      out.milliseconds_image = c.method == "patchcore" ? 80 : 20;
      if (latency_ms_ > 0 && out.milliseconds_image > latency_ms_) {
        out.status = CandidateStatus::kOverLatency;
      } else {
        out.scores.emplace_back();
      }
      return out;
    };
    steps_.seconds = [] { return 40.0; };
    steps_.expected_seconds = [](const Candidate& c, const auto&) {
      return c.method == "simplenet" ? 500.0 : 0.0;
    };
  }

  std::vector<CandidateResult> spend(double seconds, const std::vector<CandidateResult>& known = {}) {
    trained_.clear();
    return spend_budget(candidates_, {seconds, latency_ms_}, known, steps_,
                        [this](const auto&) { ++reported_; });
  }
  static std::vector<CandidateStatus> statuses(const std::vector<CandidateResult>& results) {
    std::vector<CandidateStatus> out;
    for (const CandidateResult& r : results) out.push_back(r.status);
    return out;
  }

  std::vector<Candidate> candidates_;
  CandidateSteps steps_;
  std::vector<std::string> trained_;
  std::string refused_;
  double latency_ms_ = 0;
  int reported_ = 0;
};

using Status = CandidateStatus;

TEST_F(BudgetTest, OneThatHasBegunMayFinishAndTheRestIsNotTried) {
  const auto results = spend(50);  // the second begins at 40 and ends at 80
  EXPECT_EQ(trained_, (std::vector<std::string>{"patchcore", "padim"}));
  EXPECT_EQ(statuses(results), (std::vector<Status>{Status::kMeasured, Status::kMeasured, Status::kNoBudget,
                                                    Status::kNoBudget}));
  EXPECT_NE(results[3].reason.find("80 s of 50 s are spent"), std::string::npos) << results[3].reason;
  EXPECT_EQ(reported_, 4) << "the state is written after every candidate";
}

TEST_F(BudgetTest, ASlowOneIsLeftOutForAFastOneBehindIt) {
  const auto results = spend(400);
  EXPECT_EQ(trained_, (std::vector<std::string>{"patchcore", "padim", "dfm"}));
  EXPECT_EQ(results[2].status, Status::kNoBudget);
  EXPECT_NE(results[2].reason.find("about 500 s expected"), std::string::npos) << results[2].reason;
  EXPECT_EQ(spend(1000)[2].status, Status::kMeasured);
}

TEST_F(BudgetTest, ARepeatedCallTrainsNothingTwiceAndGoesOnWithMore) {
  const auto first = spend(50);
  const auto again = spend(50, first);
  EXPECT_TRUE(trained_.empty());
  EXPECT_EQ(statuses(again), statuses(first));
  spend(100, first);
  EXPECT_EQ(trained_, std::vector<std::string>{"dfm"}) << "80 s are spent already, 500 s do not fit";
  steps_.identity = [](const Candidate& c) { return "other data, " + c.method; };
  spend(50, first);
  EXPECT_EQ(trained_.size(), 2U) << "results of another identity are no results";
}

TEST_F(BudgetTest, ARefusalIsKeptWithItsReasonAndOtherErrorsPass) {
  refused_ = "padim";
  const auto results = spend(1e6);
  EXPECT_EQ(results[1].status, Status::kRefused);
  EXPECT_EQ(results[1].reason, "no registration");
  EXPECT_EQ(results[3].status, Status::kMeasured);
  spend(1e6, results);
  EXPECT_TRUE(trained_.empty());
  steps_.run = [](const Candidate&) -> CandidateResult { fail(ErrorCode::kIo, "disk full"); };
  EXPECT_THROW(spend(1e6), Error);
}

TEST_F(BudgetTest, ALatencyLimitLeavesOutAndALooserOneMeasuresAgain) {
  latency_ms_ = 50;
  const auto results = spend(1e6);
  EXPECT_EQ(results[0].status, Status::kOverLatency);
  EXPECT_NE(results[0].reason.find("80.0 ms"), std::string::npos) << results[0].reason;
  latency_ms_ = 60;
  EXPECT_EQ(spend(1e6, results)[0].status, Status::kOverLatency);
  EXPECT_TRUE(trained_.empty());
  latency_ms_ = 100;
  const auto measured = spend(1e6, results);
  EXPECT_EQ(trained_, std::vector<std::string>{"patchcore"});
  latency_ms_ = 50;
  EXPECT_EQ(spend(1e6, measured)[0].status, Status::kOverLatency);
  EXPECT_TRUE(trained_.empty());
}

TEST(CandidateResultJson, ComesBackAsItWas) {
  CandidateResult result;
  result.candidate = {"padim", 384, 1, Align::kRigid, "resnet18"};
  result.identity = "abc";
  result.wall_seconds = 12.5;
  result.milliseconds_image = 7;
  result.judged_good = 9;
  JudgedScore score;
  score.scoring.image_score = ImageScore::kTopMean;
  score.scoring.top_share = kTopShare;
  score.rejected_good = 2;
  score.found = {true, false, true};
  result.scores = {score};
  const CandidateResult back = CandidateResult::from_json(result.to_json());
  EXPECT_EQ(back.to_json(), result.to_json());
  EXPECT_EQ(back.candidate.name(), "padim 384 px, aligned");
  nlohmann::json damaged = result.to_json();
  damaged.erase("identity");
  EXPECT_THROW(CandidateResult::from_json(damaged), Error);
}

TEST(Candidates, CheapAndStrongFirstAndOnlyThoseAskedFor) {
  const auto all = built_in_candidates("compact", {});
  EXPECT_EQ(all[0].name(), "patchcore 384 px");
  std::vector<std::string> names;
  for (const Candidate& c : all) names.push_back(c.name());
  EXPECT_NE(std::find(names.begin(), names.end(), "patchcore 288 px, 2 x 2 tiles"), names.end());
  EXPECT_NE(std::find(names.begin(), names.end(), "padim 288 px, aligned"), names.end());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end()) << "names are unique";
  for (const Candidate& c : built_in_candidates("compact", {"padim", "hybrid"}))
    EXPECT_TRUE(c.method == "padim" || c.method == "hybrid");
  EXPECT_EQ(built_in_candidates("compact", {"padim", "hybrid"}).size(), 3U);
  EXPECT_THROW(built_in_candidates("compact", {"padimm"}), Error);
}

TEST(Candidates, ImageScoresBeginWithTheMethodsOwn) {
  ScoringOptions own;
  own.image_score = ImageScore::kMethod;
  const auto variants = scoring_variants(own);
  ASSERT_EQ(variants.size(), 3U);
  EXPECT_EQ(variants[0].image_score, ImageScore::kMethod);
  EXPECT_EQ(scoring_variants(ScoringOptions{}).size(), 2U);
}

}  // namespace
}  // namespace glint
