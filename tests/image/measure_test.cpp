#include "glint/image/measure.h"

#include <gtest/gtest.h>

namespace glint {
namespace {

/// Scaled to 256 pixels on the longer side, the shorter one would vanish.
TEST(Measure, AStripeIsMeasured) {
  for (const auto& [w, h] : {std::pair(60000, 8), std::pair(8, 60000)}) {
    RgbImage stripe(w, h);
    for (std::size_t i = 0; i < stripe.pixels.size(); ++i)
      stripe.pixels[i] = static_cast<std::uint8_t>(i % 251);
    EXPECT_GT(measure_image(stripe).brightness, 0);
    EXPECT_EQ(part_mask(stripe).width, w);
    perceptual_hash(stripe);
  }
}

}  // namespace
}  // namespace glint
