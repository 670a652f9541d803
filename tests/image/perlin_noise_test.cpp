#include "glint/image/perlin_noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace glint {
namespace {

// method_facts section 26: 8 x 8, 2 x 2 cells, angle(i, j) = 0.7 (3 i + j).
TEST(PerlinNoise, OfGivenAngles) {
  PerlinLattice lattice{2, 2, {}};
  for (int i = 0; i < 9; ++i) lattice.angles.push_back(0.7 * i);
  const ScoreMap noise = perlin_noise(lattice, 8, 8);
  const double wanted[3][3] = {{.33074459, .16438480, .16822381},
                               {.62248769, .48834346, .55826570},
                               {.06664652, -.28497011, -.14603816}};
  const int rows[] = {1, 2, 5}, columns[] = {1, 3, 6};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) EXPECT_NEAR(noise.at(columns[j], rows[i]), wanted[i][j], 1e-7);
  double sum = 0;
  for (const float v : noise.values) sum += v;
  EXPECT_NEAR(sum, 5.588888303233382, 1e-5);
  EXPECT_NEAR(*std::max_element(noise.values.begin(), noise.values.end()), .7018965878394503, 1e-7);
}

TEST(PerlinNoise, RandomOnGridsThatNoLatticeDivides) {
  double largest = 0;
  for (const auto& [width, height] : {std::pair(1, 1), std::pair(10, 12), std::pair(72, 3)}) {
    Rng rng(1, "test"), same(1, "test");
    const ScoreMap noise = random_perlin_noise(width, height, rng);
    EXPECT_EQ(noise.values, random_perlin_noise(width, height, same).values);
    if (noise.values.size() > 1) {
      EXPECT_NE(noise.values, random_perlin_noise(width, height, rng).values);
    }
    EXPECT_EQ(noise.width, width);
    EXPECT_EQ(noise.height, height);
    for (const float v : noise.values) largest = std::max(largest, static_cast<double>(std::abs(v)));
  }
  EXPECT_GT(largest, 0.2);
  EXPECT_LT(largest, 1.2);
}

TEST(PerlinNoise, ExponentsAreDrawnPerAxis) {
  Rng rng(3, "test");
  bool differ = false;
  int most = 0;
  for (int i = 0; i < 100; ++i) {
    const PerlinLattice lattice = draw_perlin_lattice(5, rng);
    differ = differ || lattice.rows != lattice.columns;
    most = std::max({most, lattice.rows, lattice.columns});
    EXPECT_EQ(lattice.angles.size(), static_cast<std::size_t>(lattice.rows + 1) * (lattice.columns + 1));
  }
  EXPECT_TRUE(differ);
  EXPECT_EQ(most, 32);
}

}  // namespace
}  // namespace glint
