#include "glint/metrics/multiple_comparisons.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace glint {
namespace {

TEST(MultipleComparisons, HolmByHand) {
  // 4 x 0.01; 3 x 0.02 = 0.06; 2 x 0.03 = 0.06; 1 x 0.04 would fall below its predecessor.
  const std::vector<double> adjusted = holm_adjusted(std::vector<double>{0.04, 0.01, 0.03, 0.02});
  const std::vector<double> expected = {0.06, 0.04, 0.06, 0.06};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(adjusted[i], expected[i], 1e-12) << i;
  EXPECT_EQ(holm_adjusted(std::vector<double>{0.9, 0.8}), (std::vector<double>{1, 1}));
  EXPECT_TRUE(holm_adjusted({}).empty());
}

TEST(MultipleComparisons, ThePValueAgreesWithTheInterval) {
  EXPECT_NEAR(p_from_interval({0.1, 0, 0.3}), 0.05, 1e-9) << "the end on the side of zero counts";
  EXPECT_NEAR(p_from_interval({-0.1, -0.3, 0}), 0.05, 1e-9);
  EXPECT_LT(p_from_interval({0.1, 0.01, 0.3}), 0.05);
  EXPECT_GT(p_from_interval({0.1, -0.01, 0.3}), 0.05);
  EXPECT_NEAR(p_from_interval({0.1, 0.05, 0.15}), std::erfc(2 * 1.959963984540054 / std::sqrt(2.0)), 1e-9);
  EXPECT_EQ(p_from_interval({0.1, NAN, NAN}), 1);
  EXPECT_EQ(p_from_interval({0, -0.1, 0.1}), 1);
}

TEST(MultipleComparisons, LettersByHand) {
  EXPECT_EQ(group_letters(3, {}), (std::vector<std::string>{"a", "a", "a"}));
  EXPECT_EQ(group_letters(3, {{0, 2}}), (std::vector<std::string>{"a", "ab", "b"}));
  EXPECT_EQ(group_letters(3, {{0, 1}, {0, 2}, {1, 2}}), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(group_letters(4, {{0, 2}, {0, 3}, {1, 3}}), (std::vector<std::string>{"a", "ab", "bc", "c"}));
  EXPECT_TRUE(group_letters(0, {}).empty());
}

TEST(MultipleComparisons, LettersSayExactlyWhatIsToldApart) {
  // Not an order: each pair is told apart or not as a hash says.
  constexpr int kItems = 9;
  std::vector<std::pair<int, int>> pairs;
  std::set<std::pair<int, int>> apart;
  for (int i = 0; i < kItems; ++i) {
    for (int j = i + 1; j < kItems; ++j) {
      if ((i * 7 + j * 13) % 3 != 0) continue;
      pairs.emplace_back(i, j);
      apart.insert({i, j});
    }
  }
  const std::vector<std::string> letters = group_letters(kItems, pairs);
  for (int i = 0; i < kItems; ++i) {
    for (int j = i + 1; j < kItems; ++j) {
      const bool shared = letters[static_cast<std::size_t>(i)].find_first_of(
                              letters[static_cast<std::size_t>(j)]) != std::string::npos;
      EXPECT_EQ(shared, !apart.contains({i, j})) << i << " " << j;
    }
  }
}

}  // namespace
}  // namespace glint
