#include "glint/synth/synthetic_defect.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "glint/image/regions.h"

namespace glint {
namespace {

RgbImage grey(int side) {
  RgbImage out(side, side);
  std::fill(out.pixels.begin(), out.pixels.end(), std::uint8_t{128});
  return out;
}

class SyntheticDefectTest : public ::testing::TestWithParam<SyntheticDefect> {};

TEST_P(SyntheticDefectTest, HasTheSizeAndChangesWhatTheMaskSays) {
  const RgbImage good = grey(200);
  Mask centre(200, 200);
  for (int y = 80; y < 120; ++y)
    for (int x = 80; x < 120; ++x) centre.pixels[200 * y + x] = 1;
  for (const double size : {6.0, 20.0, 60.0}) {
    const DefectiveImage made = add_synthetic_defect(good, centre, GetParam(), size, 0.3, 5);
    const std::vector<Region> regions = mask_regions(made.mask);
    ASSERT_EQ(regions.size(), 1U);
    const double extent = std::hypot(regions[0].width, regions[0].height);
    EXPECT_GT(extent, 0.6 * size);
    EXPECT_LT(extent, 2.4 * size + 4);
    EXPECT_GT(regions[0].x + regions[0].width, 60);  // near the place it was given
    EXPECT_LT(regions[0].x, 140);
    std::int64_t outside = 0, inside = 0;
    for (std::size_t i = 0; i < made.mask.pixels.size(); ++i) {
      const int change = std::abs(made.image.pixels[3 * i] - 128);
      (made.mask.pixels[i] != 0 ? inside : outside) += change > 25 ? 1 : 0;
      EXPECT_LE(change, 78);
    }
    EXPECT_GT(inside, outside);
  }
}

TEST_P(SyntheticDefectTest, DependsOnlyOnItsArguments) {
  const RgbImage good = grey(64);
  auto make = [&](std::uint64_t seed) {
    return add_synthetic_defect(good, {}, GetParam(), 12, 0.2, seed).image.pixels;
  };
  EXPECT_EQ(make(1), make(1));
  EXPECT_NE(make(1), make(2));
}

TEST_P(SyntheticDefectTest, TheSmallestStillHasAMask) {
  const DefectiveImage made = add_synthetic_defect(grey(16), {}, GetParam(), 0.3, 0.2, 9);
  EXPECT_EQ(label_regions(made.mask).count, 1);
}

INSTANTIATE_TEST_SUITE_P(Kinds, SyntheticDefectTest,
                         ::testing::Values(SyntheticDefect::kScratch, SyntheticDefect::kBlob,
                                           SyntheticDefect::kStain, SyntheticDefect::kCutPaste),
                         [](const auto& kind) { return std::string(enum_name(kind.param)); });

}  // namespace
}  // namespace glint
