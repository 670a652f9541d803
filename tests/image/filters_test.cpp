#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "glint/base/random.h"
#include "glint/image/filters/correlation.h"
#include "glint/image/filters/gabor.h"
#include "glint/image/filters/local_binary_patterns.h"
#include "glint/image/filters/map_filters.h"
#include "glint/image/filters/oriented_gradients.h"
#include "glint/image/filters/top_hat.h"
#include "glint/image/regions.h"

namespace glint {
namespace {

GreyImage grey_noise(int width, int height, std::uint64_t seed) {
  Rng rng(seed);
  GreyImage out{width, height, {}};
  for (int i = 0; i < width * height; ++i) out.pixels.push_back(static_cast<std::uint8_t>(rng.below(256)));
  return out;
}

TEST(Grey, LumaOfPureColours) {
  RgbImage image(4, 1);
  const std::uint8_t rgb[] = {255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255};
  std::copy(std::begin(rgb), std::end(rgb), image.pixels.begin());
  EXPECT_EQ(to_grey(image).pixels, (std::vector<std::uint8_t>{255, 76, 150, 29}));
}

TEST(WindowSums, AsAdded) {
  const Grid<double> all = to_grid(grey_noise(7, 5, 1)), sums = window_sums(all, 3, 2);
  ASSERT_EQ(sums.width, 5);
  ASSERT_EQ(sums.height, 4);
  EXPECT_EQ(sums.at(4, 3),
            all.at(4, 3) + all.at(5, 3) + all.at(6, 3) + all.at(4, 4) + all.at(5, 4) + all.at(6, 4));
}

TEST(AreaOpening, IsTheHighestThresholdThatLeavesTheArea) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    Rng rng(seed, "area");
    ScoreMap map(13, 9);
    for (float& v : map.values) v = static_cast<float>(rng.below(6));  // with ties
    for (const int area : {1, 2, 5, 30, 117, 118}) {
      const ScoreMap opened = area_opening(map, area);
      // Plainly: the regions of every level.
      ScoreMap wanted(13, 9, *std::min_element(map.values.begin(), map.values.end()));
      for (float level = 0; level < 6; ++level) {
        Mask mask(13, 9);
        for (std::size_t i = 0; i < mask.pixels.size(); ++i) mask.pixels[i] = map.values[i] >= level ? 1 : 0;
        const RegionLabels regions = label_regions(mask);
        std::vector<int> sizes(static_cast<std::size_t>(regions.count) + 1);
        for (const int label : regions.labels) ++sizes[static_cast<std::size_t>(label)];
        for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
          const int label = regions.labels[i];
          if (label > 0 && sizes[static_cast<std::size_t>(label)] >= area)
            wanted.values[i] = std::max(wanted.values[i], level);
        }
      }
      EXPECT_EQ(opened.values, wanted.values) << seed << " " << area;
    }
  }
}

TEST(MapFilters, MedianTakesOutAPixelAndBlocksKeepTheLargest) {
  Grid<double> one(5, 5);
  one.at(0, 0) = one.at(3, 3) = 9;
  const Grid<double> median = median_3x3(one);
  EXPECT_EQ(*std::max_element(median.values.begin() + 1, median.values.end()), 0);
  EXPECT_EQ(median.at(0, 0), 0) << "four of nine are the repeated corner";
  ScoreMap map(5, 4, -2);
  map.values[4] = 3;
  const ScoreMap blocks = block_maximum(map, 4);
  EXPECT_EQ(blocks.values, (std::vector<float>{-2, 3}));
}

TEST(TopHat, FindsTheSmallAndTheirSign) {
  GreyImage image{40, 40, std::vector<std::uint8_t>(1600, 100)};
  image.pixels[20 * 40 + 20] = 160;
  image.pixels[10 * 40 + 10] = 30;
  const GreyImage white = white_top_hat(image, 9), black = black_top_hat(image, 9);
  EXPECT_EQ(white.pixels[20 * 40 + 20], 60);
  EXPECT_EQ(black.pixels[10 * 40 + 10], 70);
  EXPECT_EQ(open_3x3(white).pixels, std::vector<std::uint8_t>(1600));
}

TEST(Correlation, ShiftContrastAndFlatPlaces) {
  const Grid<double> image = to_grid(grey_noise(30, 26, 3));
  Grid<double> part(12, 10);
  for (int y = 0; y < 10; ++y) {
    for (int x = 0; x < 12; ++x) part.at(x, y) = 20 + 0.5 * image.at(x + 7, y + 5);  // another exposure
  }
  const Grid<double> found = match_template(image, part);
  const auto best = std::max_element(found.values.begin(), found.values.end()) - found.values.begin();
  EXPECT_EQ(best, 5 * found.width + 7);
  EXPECT_NEAR(found.values[static_cast<std::size_t>(best)], 1, 1e-9);
  EXPECT_EQ(match_template(Grid<double>(30, 26, 7), part).at(0, 0), 0);
  // Nothing to compare where the reference is flat; structure that is gone does not correlate.
  const Grid<double> flat(30, 26, 50);
  EXPECT_EQ(local_correlation(image, flat, 5, 2).at(3, 3), 1);
  EXPECT_NEAR(local_correlation(flat, image, 5, 2).at(3, 3), 0, 1e-9);
}

TEST(LocalBinaryPatterns, AFlatPictureSetsEveryBit) {
  const GreyImage flat{6, 5, std::vector<std::uint8_t>(30, 9)};
  for (const std::uint16_t code : binary_patterns(flat, 8, 1).values) EXPECT_EQ(code, 255);
  for (const std::uint16_t code : binary_patterns(flat, 16, 2).values) EXPECT_EQ(code, 65535);
  GreyImage right = flat;
  right.pixels[2 * 6 + 3] = 0;  // to the right of (2, 2): sample 0 and, in part, its neighbours
  EXPECT_EQ(binary_patterns(right, 8, 1).at(1, 1) & 1, 0);
  EXPECT_EQ(rotation_invariant_labels(8)[0b11100000], 3);
  EXPECT_EQ(rotation_invariant_labels(8)[0b01010000], 9);
}

TEST(Gabor, AnswersItsWaveMost) {
  GreyImage wave{64, 48, {}};
  for (int y = 0; y < 48; ++y) {
    for (int x = 0; x < 64; ++x)
      wave.pixels.push_back(
          static_cast<std::uint8_t>(std::lround(128 + 100 * std::cos(x * 6.283185307 / 8))));
  }
  const auto maps = GaborBank({64, 48}).magnitudes(wave);
  const auto level = [&](std::size_t k) {
    return maps[k].at(32, 24) / gabor_kernels(kGaborWavelengths[k / kGaborAngles], 0).envelope_sum;
  };
  for (std::size_t k = 0; k < maps.size(); ++k) {
    if (k == kGaborAngles) continue;
    EXPECT_LT(level(k), level(kGaborAngles)) << k;
  }
  EXPECT_NEAR(level(kGaborAngles), 50, 2) << "half the amplitude";
}

TEST(OrientedGradients, AnEdgeVotesForItsDirection) {
  GreyImage edge{16, 16, {}};
  for (int i = 0; i < 256; ++i) edge.pixels.push_back(i % 16 < 8 ? 10 : 200);
  const HogBlocks blocks = oriented_gradients(edge);
  ASSERT_EQ(blocks.values.size(), static_cast<std::size_t>(kHogLength));
  for (int cell = 0; cell < 4; ++cell) {
    // A gradient to the right lies between the last and the first direction.
    const float* bins = &blocks.values[static_cast<std::size_t>(cell) * kHogBins];
    EXPECT_NEAR(bins[0], bins[8], 1e-4);
    EXPECT_GT(bins[0], 0.3);
    EXPECT_NEAR(bins[4], 0, 1e-6);
  }
}

}  // namespace
}  // namespace glint
