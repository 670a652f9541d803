#include "glint/synth/texture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "glint/base/error.h"
#include "golden.h"

namespace glint {
namespace {

TEST(Texture, SameSeedSamePictureAndEverySeedAnother) {
  const RgbImage a = render_texture(96, 4), b = render_texture(96, 4), c = render_texture(96, 5);
  EXPECT_EQ(a.pixels, b.pixels);
  EXPECT_NE(a.pixels, c.pixels);
}

TEST(Texture, PicturesHaveContrastAndAreGreyOrColoured) {
  int grey = 0;
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    const RgbImage image = render_texture(64, seed);
    const auto [low, high] = std::minmax_element(image.pixels.begin(), image.pixels.end());
    EXPECT_GT(*high - *low, 40) << seed;
    double spread = 0;  // between the channels of a pixel
    for (std::size_t i = 0; i < image.pixels.size(); i += 3)
      spread += std::abs(image.pixels[i] - image.pixels[i + 2]);
    grey += spread / (64 * 64) < 12 ? 1 : 0;
  }
  EXPECT_GT(grey, 4);
  EXPECT_LT(grey, 20);
}

TEST(Texture, WritesASetThatIsNeverHalfThere) {
  const TemporaryFolder folder;
  EXPECT_EQ(write_texture_set(folder.path() / "t", {3, 64, 1}, silent_progress()), 3);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "t/00002.png"));
  EXPECT_THROW(write_texture_set(folder.path() / "t", {3, 64, 1}, silent_progress()), Error);
}

}  // namespace
}  // namespace glint
