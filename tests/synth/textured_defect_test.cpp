#include "glint/synth/textured_defect.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "glint/synth/texture.h"

namespace glint {
namespace {

RgbImage plain(int width, int height, std::uint8_t value) {
  RgbImage out(width, height);
  std::fill(out.pixels.begin(), out.pixels.end(), value);
  return out;
}

bool empty(const Mask& mask) {
  return std::all_of(mask.pixels.begin(), mask.pixels.end(), [](std::uint8_t m) { return m == 0; });
}

TEST(TexturedDefect, TheMaskIsWhatChangedAndDependsOnlyOnTheArguments) {
  const RgbImage good = render_texture(96, 1), texture = render_texture(96, 2);
  int changed_pixels = 0, masked = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const DefectiveImage made = add_textured_defect(good, texture, seed);
    ASSERT_EQ(made.mask.width, 96);
    ASSERT_EQ(made.mask.height, 96);
    for (std::size_t i = 0; i < made.mask.pixels.size(); ++i) {
      const bool changed =
          !std::equal(&made.image.pixels[3 * i], &made.image.pixels[3 * i + 3], &good.pixels[3 * i]);
      EXPECT_TRUE(made.mask.pixels[i] != 0 || !changed) << "outside of the mask nothing changes";
      masked += made.mask.pixels[i];
      changed_pixels += changed ? 1 : 0;
    }
    const DefectiveImage again = add_textured_defect(good, texture, seed);
    EXPECT_EQ(again.image.pixels, made.image.pixels);
    EXPECT_EQ(again.mask.pixels, made.mask.pixels);
  }
  ASSERT_GT(masked, 1000);
  EXPECT_GT(changed_pixels, 0.95 * masked) << "few pixels are by chance as before";
  EXPECT_NE(add_textured_defect(good, texture, 0).mask.pixels,
            add_textured_defect(good, texture, 5).mask.pixels);
}

TEST(TexturedDefect, HalfOfThePicturesAreClean) {
  const RgbImage good = plain(64, 48, 100), texture = render_texture(64, 3);
  RgbImage filling(64, 48);
  std::copy_n(texture.pixels.begin(), filling.pixels.size(), filling.pixels.begin());
  constexpr int kTrials = 2000;
  int clean = 0;
  for (std::uint64_t seed = 0; seed < kTrials; ++seed) {
    const DefectiveImage made = add_textured_defect(good, filling, seed);
    if (!empty(made.mask)) continue;
    EXPECT_EQ(made.image.pixels, good.pixels);
    ++clean;
  }
  // Drawn clean with P 1/2, and some of the others have no noise above the bound.
  EXPECT_GT(clean, 0.5 * kTrials - 3 * std::sqrt(0.25 * kTrials));
  EXPECT_LT(clean, 0.65 * kTrials);
}

TEST(TexturedDefect, TheBlendLiesBetweenPartAndTexture) {
  // A texture that every change leaves plain, beside a part that is black: the share of the texture's own
  // level that arrives is 1 - b of all three channels at once.
  const RgbImage black = plain(64, 64, 0), white = plain(64, 64, 255);
  double least = 1, most = 0;
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    const DefectiveImage over_black = add_textured_defect(black, white, seed);
    const DefectiveImage over_white = add_textured_defect(white, white, seed);
    ASSERT_EQ(over_black.mask.pixels, over_white.mask.pixels)
        << "shape and filling do not depend on the part";
    for (std::size_t i = 0; i < over_black.mask.pixels.size(); ++i) {
      if (over_black.mask.pixels[i] == 0) continue;
      // Both hold (1 - b) * filling + b * part, so that their difference is b * 255.
      const double original = (over_white.image.pixels[3 * i] - over_black.image.pixels[3 * i]) / 255.0;
      least = std::min(least, original);
      most = std::max(most, original);
    }
  }
  EXPECT_GE(least, 0);
  EXPECT_LT(least, 0.02);
  EXPECT_GT(most, 0.78);
  EXPECT_LE(most, kMostOriginal + 1 / 255.0);
}

TEST(TexturedDefect, NoiseTurnsWithNothingBeyondItsBorders) {
  // The corners are turned out of the picture more often than the middle: they carry fewer defects.
  const RgbImage good = plain(64, 64, 0), texture = render_texture(64, 3);
  int corners = 0, middle = 0;
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    const Mask mask = add_textured_defect(good, texture, seed).mask;
    for (const int at : {0, 63, 63 * 64, 64 * 64 - 1}) corners += mask.pixels[at];
    for (const int at : {28 * 64 + 28, 28 * 64 + 36, 36 * 64 + 28, 36 * 64 + 36}) middle += mask.pixels[at];
  }
  EXPECT_LT(corners, middle / 2);
}

TEST(AugmentedTexture, KeepsTheSizeAndChangesThePicture) {
  const RgbImage texture = render_texture(64, 7);
  int changed = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed), same(seed);
    const RgbImage made = augment_texture(texture, rng);
    ASSERT_EQ(made.pixels.size(), texture.pixels.size());
    EXPECT_EQ(made.pixels, augment_texture(texture, same).pixels);
    changed += made.pixels != texture.pixels ? 1 : 0;
  }
  EXPECT_EQ(changed, 60);
}

}  // namespace
}  // namespace glint
