#include "glint/data/contamination.h"

#include <set>

#include "small_set.h"

namespace glint {
namespace {

Sample part(const std::string& id, Role role, const std::string& label, const std::string& hash = "") {
  Sample out;
  out.id = id;
  out.role = role;
  out.label = label;
  out.sha256 = hash.empty() ? id : hash;
  if (label != kGoodClass) out.mask = id + "_mask";
  return out;
}

Dataset twenty_good_ten_defective() {
  Dataset out;
  for (int i = 0; i < 20; ++i) out.train.push_back(part(fmt::format("g{}", i), Role::kTrain, kGoodClass));
  for (int i = 0; i < 4; ++i) out.test.push_back(part(fmt::format("t{}", i), Role::kTest, kGoodClass));
  for (int i = 0; i < 10; ++i)
    out.test.push_back(part(fmt::format("d{}", i), Role::kTest, i < 5 ? "a" : "b"));
  return out;
}

std::set<std::string> ids(const std::vector<Sample>& samples) {
  std::set<std::string> out;
  for (const Sample& sample : samples) out.insert(sample.id);
  return out;
}

TEST(Contamination, NoPartTrainsAndTests) {
  const Dataset dataset = twenty_good_ten_defective();
  const std::vector<double> shares = {0, 0.05, 0.2};
  const ContaminatedSets out = contaminate(dataset, shares, 7);
  EXPECT_EQ(out.moved, (std::vector<int>{0, 1, 5}));  // 1 of 21, 5 of 25
  ASSERT_EQ(out.pool.size(), 5U);
  for (std::size_t s = 0; s < out.sets.size(); ++s) {
    const Dataset& set = out.sets[s];
    ASSERT_EQ(set.train.size(), 20U + static_cast<std::size_t>(out.moved[s]));
    EXPECT_EQ(set.test.size(), 9U);
    EXPECT_EQ(ids(set.test), ids(out.sets[0].test));
    for (const std::string& id : out.pool) EXPECT_FALSE(ids(set.test).contains(id)) << id;
    for (int i = 0; i < out.moved[s]; ++i) {
      const Sample& moved = set.train[static_cast<std::size_t>(20 + i)];
      EXPECT_EQ(moved.id,
                out.pool[static_cast<std::size_t>(i)]);  // a smaller share has the first of a larger one
      EXPECT_EQ(moved.role, Role::kTrain);
      EXPECT_FALSE(moved.anomalous());
      EXPECT_FALSE(moved.mask);
    }
  }
  EXPECT_EQ(contaminate(dataset, shares, 7).pool, out.pool);
  EXPECT_NE(contaminate(dataset, shares, 8).pool, out.pool);
}

TEST(Contamination, CopiesOfAPartLeaveTheTestTogether) {
  Dataset dataset = twenty_good_ten_defective();
  for (int i = 0; i < 10; ++i)
    dataset.test.push_back(part(fmt::format("copy{}", i), Role::kTest, "a", fmt::format("d{}", i)));
  const std::vector<double> shares = {0.2};
  const ContaminatedSets out = contaminate(dataset, shares, 1);
  EXPECT_EQ(out.sets[0].test.size(), 4U + 2 * 5);
  EXPECT_EQ(std::set<std::string>(out.pool.begin(), out.pool.end()).size(), 5U);
}

TEST(Contamination, WhatTheTestSetCannotSupplyIsRefusedWithTheLargestShare) {
  const Dataset dataset = twenty_good_ten_defective();
  for (const double share : {-0.1, 1.0, 0.3}) {  // 0.3 needs 9, and 8 can be spared
    const std::vector<double> shares = {share};
    try {
      contaminate(dataset, shares, 0);
      ADD_FAILURE() << share;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kConfig);
      if (share == 0.3) {
        EXPECT_NE(std::string(e.what()).find("at most 0.285"), std::string::npos) << e.what();
      }
    }
  }
  const std::vector<double> largest = {0.285};
  EXPECT_EQ(contaminate(dataset, largest, 0).moved[0], 8);
}

}  // namespace
}  // namespace glint
