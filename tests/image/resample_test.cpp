#include "glint/image/resample.h"

#include <gtest/gtest.h>

#include <cmath>

#include "golden.h"

namespace glint {
namespace {

TEST(Resample, MatchesPublishedMapAtBothSigmas) {
  const SafetensorsFile file = golden("simplenet_map");
  const auto& patches = file.tensors.at("patch_scores");
  const auto scores = to_floats(patches);
  const int images = static_cast<int>(patches.shape[0]), side = static_cast<int>(patches.shape[1]);
  for (const auto& [name, sigma] : {std::pair("map_sigma4", 4.0), std::pair("map_sigma2", 2.0)}) {
    const auto& expected_tensor = file.tensors.at(name);
    const auto expected = to_floats(expected_tensor);
    const int size = static_cast<int>(expected_tensor.shape[1]);
    for (int i = 0; i < images; ++i) {
      ScoreMap map(side, side);
      std::copy_n(scores.begin() + i * side * side, side * side, map.values.begin());
      const ScoreMap got = gaussian_smooth(resize_bilinear(map, size, size), sigma);
      for (int p = 0; p < size * size; ++p) {
        const float want = expected[static_cast<std::size_t>(i) * size * size + p];
        ASSERT_NEAR(got.values[p], want, 1e-4 * std::max(1.0F, std::abs(want))) << name << " pixel " << p;
      }
    }
  }
}

TEST(Resample, ConstantStaysConstant) {
  RgbImage image(37, 51);
  std::fill(image.pixels.begin(), image.pixels.end(), std::uint8_t{123});
  for (const std::uint8_t v : resize_antialiased(image, 19, 80).pixels) ASSERT_EQ(v, 123);
  const ScoreMap map(13, 7, 2.5F);
  for (const float v : gaussian_smooth(map, 3).values) ASSERT_NEAR(v, 2.5, 1e-5);
}

TEST(Resample, AntialiasingAveragesWhatPointSamplingWouldMiss) {
  RgbImage stripes(400, 8);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 400; ++x)
      std::fill_n(stripes.at(x, y), 3, static_cast<std::uint8_t>(x % 2 ? 255 : 0));
  }
  const RgbImage small = resize_antialiased(stripes, 40, 8);
  for (int x = 0; x < 40; ++x) EXPECT_NEAR(small.at(x, 4)[0], 128, 8);
}

TEST(Resample, WarpWithoutMotionIsIdentityAndFlipMirrors) {
  RgbImage image(9, 6);
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<std::uint8_t>(7 * i % 251);
  EXPECT_EQ(warp_about_centre(image, 0, 0, 0, 1, false).pixels, image.pixels);
  const RgbImage flipped = warp_about_centre(image, 0, 0, 0, 1, true);
  for (int x = 0; x < 9; ++x) EXPECT_EQ(flipped.at(x, 3)[1], image.at(8 - x, 3)[1]);
}

}  // namespace
}  // namespace glint
