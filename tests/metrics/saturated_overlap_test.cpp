#include "glint/metrics/saturated_overlap.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/random.h"

namespace glint {
namespace {

SaturatedRegion region_of(int width, const std::vector<int>& pixels, double saturation) {
  SaturatedRegion out{Mask(width, 1), saturation};
  for (const int p : pixels) out.mask.pixels[p] = 1;
  return out;
}

SaturatedOverlap overlap_of(const std::vector<MapAndRegions>& images, double limit, int replicates = 0) {
  PixelMetricOptions options;
  options.pro_limit = limit;
  options.bootstrap_replicates = replicates;
  std::vector<int> strata;
  for (const MapAndRegions& image : images) strata.push_back(image.regions.empty() ? 0 : 1);
  return saturated_overlap(
      static_cast<int>(images.size()), [&](int i) { return images[i]; }, strata, options);
}

/// Regions A (4 pixels, saturates at 2), B (2 pixels, at 2) in the first image; the second is good.
///   score   10  9  8  7  6  5  4  3  2  1
///   what     A  g  A  B  A  g  B  g  A  g      g = good; four good pixels
/// Found at each threshold: A 1 2 3 4 pixels -> 1/2, 1, 1, 1; B 1/2, 1.
///   FPR 0:      sPRO (1/2 + 0)/2 = 1/4
///   FPR 1/4:    1/4 before any further pixel; after 8, 7, 6: (1 + 1/2)/2 = 3/4
///   FPR 2/4:    3/4; after 4: (1 + 1)/2 = 1
///   FPR 3/4, 1: 1
std::vector<MapAndRegions> hand_case() {
  MapAndRegions first{ScoreMap(8, 1), {region_of(8, {0, 2, 4, 6}, 2), region_of(8, {3, 5}, 2)}};
  const float scores[] = {10, 9, 8, 7, 6, 4, 2, 5};
  std::copy(std::begin(scores), std::end(scores), first.map.values.begin());
  MapAndRegions second{ScoreMap(2, 1), {}};
  second.map.values = {3, 1};
  return {first, second};
}

TEST(SaturatedOverlapTest, AgreesWithACaseByHand) {
  const SaturatedOverlap all = overlap_of(hand_case(), 1.0);
  EXPECT_EQ(all.regions, 2);
  // trapezoids between (0, 1/4), (1/4, 1/4), then up to 3/4 at 1/4, (2/4, 3/4), up to 1, (1, 1)
  EXPECT_NEAR(all.au_spro.value, 0.25 * 0.25 + 0.25 * 0.75 + 0.5 * 1, 1e-6);
  // up to 3/8: 1/4 over the first quarter, 3/4 over an eighth
  EXPECT_NEAR(overlap_of(hand_case(), 0.375).au_spro.value, (0.25 * 0.25 + 0.125 * 0.75) / 0.375, 1e-6);
  EXPECT_NEAR(overlap_of(hand_case(), kSproLimit).au_spro.value, 0.25, 1e-6);
  // Without saturation region A would need all four of its pixels.
  std::vector<MapAndRegions> plain = hand_case();
  plain[0].regions[0].saturation_px = 4;
  EXPECT_NEAR(overlap_of(plain, 0.25).au_spro.value, 0.125, 1e-6);
}

TEST(SaturatedOverlapTest, EqualScoresAndSharesOfPixelsCountTogether) {
  // Three equal pixels of a region that is full at 1.5: found together or not at all.
  MapAndRegions image{ScoreMap(5, 1), {region_of(5, {0, 1, 2}, 1.5)}};
  image.map.values = {5, 5, 5, 9, 1};
  EXPECT_NEAR(overlap_of({image}, 0.5).au_spro.value, 0.0, 1e-6);  // the good 9 comes first
  EXPECT_NEAR(overlap_of({image}, 1.0).au_spro.value, 0.5, 1e-6);
  const std::vector<float> weights = saturated_weights(image.map, image.regions);
  EXPECT_NEAR(weights[0], 1 / 1.5, 1e-6);
  EXPECT_NEAR(weights[1], 1 - 1 / 1.5, 1e-6);
  EXPECT_EQ(weights[2], 0);
  // A pixel of two regions counts for both.
  image.regions.push_back(region_of(5, {0, 4}, 1));
  EXPECT_NEAR(saturated_weights(image.map, image.regions)[0], 1 / 1.5 + 1, 1e-6);
}

TEST(SaturatedOverlapTest, IsAuproWhenNothingSaturatesEarly) {
  Rng rng(5, "spro");
  std::vector<MapAndRegions> images;
  std::vector<MapAndMask> plain;
  for (int i = 0; i < 6; ++i) {
    MapAndRegions image{ScoreMap(12, 1), {}};
    for (float& v : image.map.values) v = static_cast<float>(rng.normal());
    Mask mask(12, 1);
    if (i % 2 == 1) {
      image.regions = {region_of(12, {1, 2, 3}, 3), region_of(12, {7, 8}, 2)};
      for (const int p : {1, 2, 3, 7, 8}) mask.pixels[p] = 1;
    }
    plain.push_back({image.map, mask});
    images.push_back(std::move(image));
  }
  PixelMetricOptions options;
  options.bootstrap_replicates = 40;
  const PixelMetrics expected = pixel_metrics(
      6, [&](int i) { return plain[i]; }, {0, 1, 0, 1, 0, 1}, options);
  const SaturatedOverlap got = overlap_of(images, options.pro_limit, options.bootstrap_replicates);
  EXPECT_NEAR(got.au_spro.value, expected.aupro.value, 1e-6);
  EXPECT_NEAR(got.au_spro.ci_low, expected.aupro.ci_low, 1e-6);
  EXPECT_EQ(got.regions, expected.regions);
}

TEST(SaturatedOverlapTest, IsNoNumberWithoutARegion) {
  EXPECT_TRUE(std::isnan(overlap_of({{ScoreMap(3, 1), {}}}, kSproLimit).au_spro.value));
}

}  // namespace
}  // namespace glint
