// Who trains, calibrates and judges: disjoint, complete, seeded, and refused with the number that is missing.
#include "glint/choose/roles.h"

#include <gtest/gtest.h>

#include <set>

#include "glint/base/error.h"
#include "glint/metrics/conformal.h"

namespace glint {
namespace {

Dataset good_set(int train, int calibration = 0) {
  Dataset out;
  for (int i = 0; i < train + calibration; ++i) {
    Sample sample;
    sample.id = fmt::format("{}/good/{:03}.png", i < train ? "train" : "calibration", i);
    sample.label = kGoodClass;
    sample.sha256 = fmt::format("{:064}", i);
    sample.role = i < train ? Role::kTrain : Role::kCalibration;
    (i < train ? out.train : out.calibration).push_back(sample);
  }
  Sample bad;
  bad.id = "test/scratch/1.png";
  bad.label = "scratch";
  bad.role = Role::kTest;
  out.test.push_back(bad);
  return out;
}

std::set<std::string> ids(const std::vector<Sample>& samples) {
  std::set<std::string> out;
  for (const Sample& sample : samples) out.insert(sample.id);
  return out;
}

TEST(GoodRoles, AreDisjointAndComplete) {
  for (const int n : {kLeastToChoose, 54, 150, 320}) {
    const GoodRoles roles = assign_roles(good_set(n), 0, 7);
    std::set<std::string> all;
    std::size_t sum = 0;
    for (const auto* part : {&roles.train, &roles.calibration, &roles.judging, &roles.final_calibration}) {
      all.merge(ids(*part));
      sum += part->size();
    }
    EXPECT_EQ(sum, static_cast<std::size_t>(n));
    EXPECT_EQ(all.size(), static_cast<std::size_t>(n)) << "somebody has two roles";
    EXPECT_GE(roles.train.size(), 10U);
    EXPECT_GE(roles.judging.size(), 5U);
    EXPECT_LE(images_needed(roles.judged_rate), std::ssize(roles.calibration));
    EXPECT_LE(images_needed(roles.false_reject), std::ssize(roles.final_calibration));
  }
}

TEST(GoodRoles, DependOnTheSeedAlone) {
  EXPECT_EQ(assign_roles(good_set(60), 0, 1).to_json(), assign_roles(good_set(60), 0, 1).to_json());
  EXPECT_NE(assign_roles(good_set(60), 0, 1).to_json(), assign_roles(good_set(60), 0, 2).to_json());
}

TEST(GoodRoles, AWishedRateTakesTheImagesThatItNeeds) {
  const GoodRoles roles = assign_roles(good_set(320), 0.01, 0);
  EXPECT_EQ(roles.final_calibration.size(), 99U);
  EXPECT_EQ(roles.calibration.size(), 99U);
  EXPECT_EQ(roles.judged_rate, 0.01);
  const GoodRoles fewer = assign_roles(good_set(150), 0.01, 0);
  EXPECT_EQ(fewer.false_reject, 0.01);
  EXPECT_GT(fewer.judged_rate, 0.01) << "51 others cannot promise that and train as well";
}

TEST(GoodRoles, TooFewAreRefusedWithTheNumberThatIsNeeded) {
  try {
    assign_roles(good_set(kLeastToChoose - 1), 0, 0);
    FAIL() << "39 are too few";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("at least 40"), std::string::npos) << e.what();
  }
  try {
    assign_roles(good_set(110), 0.01, 0);
    FAIL() << "99 + 27 are needed";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kConfig);
    EXPECT_NE(std::string(e.what()).find("99 good images"), std::string::npos) << e.what();
  }
  EXPECT_THROW(assign_roles(good_set(100, 20), 0.01, 0), Error)
      << "20 in calibration/good cannot promise 1 %";
}

TEST(GoodRoles, ACalibrationFolderCalibratesTheWinnerAlone) {
  const Dataset dataset = good_set(60, 20);
  const GoodRoles roles = assign_roles(dataset, 0, 0);
  EXPECT_EQ(ids(roles.final_calibration), ids(dataset.calibration));
  EXPECT_EQ(roles.train.size() + roles.calibration.size() + roles.judging.size(), 60U);
}

TEST(GoodRoles, DatasetsOfCandidatesAndWinnerHoldWhatTheirRolesSay) {
  const Dataset dataset = good_set(60);
  const GoodRoles roles = assign_roles(dataset, 0, 0);
  const Dataset candidates = candidate_dataset(dataset, roles), winner = final_dataset(dataset, roles);
  EXPECT_TRUE(candidates.test.empty());
  EXPECT_EQ(ids(candidates.train), ids(roles.train));
  EXPECT_EQ(ids(candidates.calibration), ids(roles.calibration));
  EXPECT_EQ(candidates.calibration[0].role, Role::kCalibration);
  EXPECT_EQ(winner.train.size(), 60 - roles.final_calibration.size());
  EXPECT_EQ(ids(winner.calibration), ids(roles.final_calibration));
  for (const Sample& sample : winner.train) {
    EXPECT_EQ(sample.role, Role::kTrain);
    EXPECT_EQ(ids(winner.calibration).count(sample.id), 0U);
  }
}

}  // namespace
}  // namespace glint
