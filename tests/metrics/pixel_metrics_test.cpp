#include "glint/metrics/pixel_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/random.h"
#include "glint/metrics/ranking.h"

namespace glint {
namespace {

struct Maps {
  std::vector<MapAndMask> items;
  std::vector<int> stratum;

  PixelMetrics metrics(const PixelMetricOptions& options) const {
    return pixel_metrics(
        static_cast<int>(items.size()), [this](int i) { return items[i]; }, stratum, options);
  }
};

/// Every second map has two defects of 4 and 2 pixels that score higher by `contrast`.
Maps random_maps(int images, int side, double contrast, std::uint64_t seed) {
  Rng rng(seed, "maps");
  Maps out;
  for (int i = 0; i < images; ++i) {
    MapAndMask item{ScoreMap(side, side), Mask(side, side)};
    for (float& v : item.map.values) v = static_cast<float>(rng.normal());
    for (const int p : {8, 9, 10, 11, 30, 31}) {
      if (i % 2 == 0) continue;
      item.mask.pixels[p] = 1;
      item.map.values[p] += static_cast<float>(contrast);
    }
    out.items.push_back(std::move(item));
    out.stratum.push_back(i % 2);
  }
  return out;
}

/// AUROC over the pixels of some of the maps, all at once.
double pooled_auroc(const Maps& maps, const std::vector<int>& which) {
  std::vector<double> scores;
  std::vector<int> labels;
  for (const int i : which) {
    for (std::size_t p = 0; p < maps.items[i].map.values.size(); ++p) {
      scores.push_back(maps.items[i].map.values[p]);
      labels.push_back(maps.items[i].mask.pixels[p]);
    }
  }
  return auroc(scores, labels);
}

TEST(PixelMetrics, ReplicatesOfTwoDetectorsArePaired) {
  // 432 pixels, fewer than the bootstrap's thresholds, so that its replicates are exact: each one must be the
  // AUROC of the very images that stratified_resample names, for both detectors.
  constexpr int kImages = 12;
  const Maps a = random_maps(kImages, 6, 0.8, 3);
  Maps b = a;  // another detector: noise of its own, and it sees the defects better
  Rng rng(4, "other detector");
  for (MapAndMask& item : b.items) {
    for (std::size_t p = 0; p < item.map.values.size(); ++p)
      item.map.values[p] += static_cast<float>(0.3 * rng.normal() + 0.9 * item.mask.pixels[p]);
  }
  PixelMetricOptions options;
  options.bootstrap_replicates = 50;
  options.seed = 21;
  const PixelMetrics ma = a.metrics(options), mb = b.metrics(options);
  EXPECT_GT(mb.auroc.value, ma.auroc.value);
  ASSERT_EQ(ma.replicates[0].size(), 50U);
  double spread = 0;
  for (int r = 0; r < 50; ++r) {
    const std::vector<int> drawn = stratified_resample(a.stratum, options.seed, r);
    const double want_a = pooled_auroc(a, drawn), want_b = pooled_auroc(b, drawn);
    EXPECT_NEAR(ma.replicates[0][r], want_a, 1e-9) << r;
    EXPECT_NEAR(mb.replicates[0][r], want_b, 1e-9) << r;
    spread += std::abs(want_b - want_a - (mb.auroc.value - ma.auroc.value));
  }
  EXPECT_GT(spread, 0.05) << "the resamples differ, so that other ones would have been noticed";
}

TEST(PixelMetrics, MemoryHoldsForTiedAndSaturatedScores) {
  const Maps random = random_maps(10, 24, 2, 8);
  struct Case {
    const char* name;
    std::function<float(float)> score;
  };
  const Case cases[] = {{"all equal", [](float) { return 0.25F; }},
                        {"saturated", [](float v) { return v > -1.0F ? 1.0F : v; }},
                        {"close together", [](float v) { return 1.0F + 1e-6F * std::round(20 * v); }},
                        {"two levels", [](float v) { return v > 1 ? 1.0F : 0.0F; }}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Maps maps = random;
    for (MapAndMask& item : maps.items)
      for (float& v : item.map.values) v = c.score(v);
    PixelMetricOptions options;
    options.bootstrap_replicates = 40;
    const PixelMetrics free = maps.metrics(options);
    options.max_pixels_in_memory = 700;  // of 5,760
    const PixelMetrics bounded = maps.metrics(options);
    EXPECT_LE(bounded.peak_pixels, 700);
    EXPECT_GT(free.peak_pixels, 700);
    std::vector<int> all;
    for (int i = 0; i < 10; ++i) all.push_back(i);
    EXPECT_NEAR(bounded.auroc.value, pooled_auroc(maps, all), 1e-12);
    EXPECT_NEAR(bounded.aupro.value, free.aupro.value, 1e-12);
    EXPECT_NEAR(bounded.average_precision.value, free.average_precision.value, 1e-12);
    EXPECT_EQ(bounded.f1max.value, free.f1max.value);
    EXPECT_EQ(bounded.f1max_threshold, free.f1max_threshold);
    EXPECT_EQ(bounded.replicates, free.replicates);
    for (const Estimate& e : {bounded.auroc, bounded.average_precision, bounded.f1max, bounded.aupro}) {
      EXPECT_LE(e.ci_low, e.value);
      EXPECT_GE(e.ci_high, e.value);
      EXPECT_GT(e.ci_high - e.ci_low, 1e-6) << "a constant detector is known from ten images only";
    }
  }
}

TEST(PixelMetrics, APerfectDetectorHasAnInterval) {
  Maps maps = random_maps(10, 8, 0, 5);
  for (MapAndMask& item : maps.items) {
    for (std::size_t p = 0; p < item.map.values.size(); ++p) item.map.values[p] = item.mask.pixels[p];
  }
  const PixelMetrics m = maps.metrics({});
  EXPECT_EQ(m.units, 5);
  for (const Estimate& e : {m.auroc, m.average_precision, m.f1max, m.aupro}) {
    EXPECT_NEAR(e.value, 1, 1e-12);
    EXPECT_NEAR(e.ci_low, wilson_rate(5, 5).ci_low, 1e-9);
  }
}

}  // namespace
}  // namespace glint
