#include "glint/image/resample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

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

RgbImage noise(int w, int h, unsigned seed) {
  std::mt19937 random(seed);
  RgbImage image(w, h);
  for (std::uint8_t& v : image.pixels) v = static_cast<std::uint8_t>(random());
  return image;
}

/// The formula of the header in double precision, pixel by pixel.
double resized(const RgbImage& image, int width, int height, int x, int y, int c) {
  const auto axis = [](int in, int out, int at) {
    const double scale = static_cast<double>(in) / out, support = std::max(scale, 1.0),
                 centre = (at + 0.5) * scale;
    std::vector<double> weights(static_cast<std::size_t>(in));
    double sum = 0;
    for (int i = 0; i < in; ++i) sum += weights[i] = std::max(0.0, 1 - std::abs(i + 0.5 - centre) / support);
    for (double& w : weights) w /= sum;
    return weights;
  };
  const std::vector<double> across = axis(image.width, width, x), down = axis(image.height, height, y);
  double out = 0;
  for (int v = 0; v < image.height; ++v) {
    for (int u = 0; u < image.width; ++u) out += down[v] * across[u] * image.at(u, v)[c];
  }
  return out;
}

TEST(Resample, FollowsTheFormulaToOneGreyLevel) {
  std::mt19937 random(9);
  for (int i = 0; i < 30; ++i) {
    const auto up_to = [&](unsigned n) { return 1 + static_cast<int>(random() % n); };
    const RgbImage image = noise(up_to(60), up_to(60), i);
    const int w = up_to(50), h = up_to(50);
    const RgbImage small = resize_antialiased(image, w, h);
    for (int k = 0; k < 20; ++k) {
      const int x = up_to(w) - 1, y = up_to(h) - 1, c = up_to(3) - 1;
      ASSERT_NEAR(small.at(x, y)[c], resized(image, w, h, x, y, c), 0.51)
          << image.width << "x" << image.height << " to " << w << "x" << h;
    }
  }
}

TEST(Resample, FittedSizesKeepTheAspectAndNeverGrow) {
  const ImageSize small = fitted_size({640, 480}, 320), same = fitted_size({640, 480}, 640),
                  thin = fitted_size({60000, 2}, 320);
  EXPECT_EQ(small.width, 320);
  EXPECT_EQ(small.height, 240);
  EXPECT_EQ(same.width, 640);
  EXPECT_EQ(thin.height, 1);
}

TEST(Resample, AWindowIsACropOfTheWhole) {
  std::mt19937 random(3);
  for (int i = 0; i < 60; ++i) {
    const auto up_to = [&](unsigned n) { return 1 + static_cast<int>(random() % n); };
    const RgbImage image = noise(up_to(40), up_to(40), i);
    const int w = up_to(60), h = up_to(60), width = up_to(w), height = up_to(h);
    const int x = static_cast<int>(random() % (w - width + 1)),
              y = static_cast<int>(random() % (h - height + 1));
    EXPECT_EQ(resize_window(image, {w, h, x, y, width, height}).pixels,
              crop(resize_antialiased(image, w, h), x, y, width, height).pixels);
  }
}

TEST(Resample, AFramedMapIsTheLargeMapResized) {
  std::mt19937 random(4);
  for (int i = 0; i < 40; ++i) {
    const auto up_to = [&](unsigned n) { return 1 + static_cast<int>(random() % n); };
    ScoreMap map(up_to(12), up_to(12));
    for (float& v : map.values) v = static_cast<float>(random() % 1000);
    const int w = map.width + static_cast<int>(random() % 20),
              h = map.height + static_cast<int>(random() % 20);
    const int x = static_cast<int>(random() % (w - map.width + 1)),
              y = static_cast<int>(random() % (h - map.height + 1));
    ScoreMap whole(w, h, -5);
    for (int row = 0; row < map.height; ++row)
      std::copy_n(&map.values[static_cast<std::size_t>(row) * map.width], map.width,
                  &whole.values[static_cast<std::size_t>(row + y) * w + x]);
    const int width = up_to(50), height = up_to(50);
    EXPECT_EQ(resize_framed(map, {w, h, x, y, map.width, map.height}, -5, width, height).values,
              resize_bilinear(whole, width, height).values);
  }
}

/// A stripe of 60000 x 1 pixels with its shorter side brought to 329 would be 19,740,000 x 329 pixels.
TEST(Resample, AStripeTakesNoMoreThanItsWindow) {
  const RgbImage stripe = noise(60000, 1, 1), column = noise(1, 60000, 2);
  const std::int64_t side = 329 * 60000LL;
  EXPECT_EQ(resize_window(stripe, {side, 329, side / 2, 20, 288, 288}).width, 288);
  EXPECT_EQ(resize_window(column, {329, side, 20, side / 2, 288, 288}).height, 288);
  EXPECT_EQ(resize_antialiased(column, 288, 288).width, 288);
  const ScoreMap map = resize_framed(ScoreMap(288, 288, 7), {side, 329, side / 2, 20, 288, 288}, 1, 60000, 1);
  EXPECT_EQ(map.values[0], 1);
  EXPECT_EQ(map.values[30000], 7);
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
