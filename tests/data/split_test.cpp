#include "glint/data/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

namespace glint {
namespace {

std::vector<int> without(std::vector<int> all, const std::vector<int>& some) {
  std::erase_if(all, [&](int i) { return std::binary_search(some.begin(), some.end(), i); });
  return all;
}

TEST(ShareSplit, IsDisjointSeededAndLeavesOneOnEitherSide) {
  const std::vector<int> all = all_indices(40);
  const Split split = share_split(all, 0.1, 40, 3);
  EXPECT_EQ(split.held_out.size(), 4U);
  EXPECT_EQ(split.train, without(all, split.held_out));
  EXPECT_TRUE(std::is_sorted(split.held_out.begin(), split.held_out.end()));
  EXPECT_EQ(share_split(all, 0.1, 40, 3).held_out, split.held_out);
  EXPECT_NE(share_split(all, 0.1, 40, 4).held_out, split.held_out);
  EXPECT_EQ(share_split({7, 9}, 0.01, 40, 3).held_out.size(), 1U);
  EXPECT_EQ(share_split({7, 9}, 0.99, 40, 3).train.size(), 1U);
}

TEST(ShareSplit, HoldsTheSameOutOfAnotherChoice) {
  const Split whole = share_split(all_indices(40), 0.25, 40, 3);
  for (const Split& fold : fold_splits(40, 5, 3)) {
    const Split part = share_split(fold.train, 0.25, 40, 3);
    EXPECT_EQ(part.train.size() + part.held_out.size(), fold.train.size());
    const std::vector<int> kept = without(whole.held_out, fold.held_out);  // those that the fold trains with
    std::vector<int> common;
    std::set_intersection(kept.begin(), kept.end(), part.held_out.begin(), part.held_out.end(),
                          std::back_inserter(common));
    EXPECT_EQ(common.size(), std::min(kept.size(), part.held_out.size()));
  }
}

}  // namespace
}  // namespace glint
