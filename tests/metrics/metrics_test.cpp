// ranking and pixel_metrics against the golden file that they share, and by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "glint/base/random.h"
#include "glint/metrics/pixel_metrics.h"
#include "glint/metrics/ranking.h"
#include "golden.h"

namespace glint {
namespace {

double scalar(const SafetensorsFile& file, const std::string& name) {
  double v = 0;
  std::memcpy(&v, file.tensors.at(name).data.data(), sizeof(v));
  return v;
}

struct GoldenMaps {
  std::vector<MapAndMask> items;
  explicit GoldenMaps(const SafetensorsFile& file) {
    const auto& maps = file.tensors.at("maps");
    const auto values = to_floats(maps);
    const auto& masks = file.tensors.at("masks").data;
    const int h = static_cast<int>(maps.shape[1]), w = static_cast<int>(maps.shape[2]);
    for (std::int64_t i = 0; i < maps.shape[0]; ++i) {
      MapAndMask item{ScoreMap(w, h), Mask(w, h)};
      for (int p = 0; p < w * h; ++p) {
        item.map.values[p] = values[i * w * h + p];
        item.mask.pixels[p] = masks[i * w * h + p] != std::byte{0} ? 1 : 0;
      }
      items.push_back(std::move(item));
    }
  }
  PixelMetrics metrics(PixelMetricOptions options) const {
    options.bootstrap_replicates = 0;
    return pixel_metrics(
        static_cast<int>(items.size()), [this](int i) { return items[i]; }, std::vector<int>(items.size(), 0),
        options);
  }
};

TEST(Metrics, GoldenImageMetrics) {
  const SafetensorsFile file = golden("metrics");
  const auto floats = to_floats(file.tensors.at("image_scores"));
  const std::vector<double> scores(floats.begin(), floats.end());
  std::vector<int> labels;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    std::int64_t v = 0;
    std::memcpy(&v, &file.tensors.at("image_labels").data[8 * i], 8);
    labels.push_back(static_cast<int>(v));
  }
  EXPECT_NEAR(auroc(scores, labels), scalar(file, "image_auroc"), 1e-6);
  EXPECT_NEAR(average_precision(scores, labels), scalar(file, "image_ap"), 1e-6);
  EXPECT_NEAR(f1_max(scores, labels).f1, scalar(file, "image_f1max"), 1e-6);
}

TEST(Metrics, GoldenPixelMetricsInOnePassAndInMany) {
  const SafetensorsFile file = golden("metrics");
  const GoldenMaps maps(file);
  for (const std::int64_t limit : {64'000'000L, 500L}) {
    PixelMetricOptions options;
    options.max_pixels_in_memory = limit;
    const PixelMetrics m = maps.metrics(options);
    EXPECT_NEAR(m.auroc.value, scalar(file, "pixel_auroc"), 1e-6);
    EXPECT_NEAR(m.average_precision.value, scalar(file, "pixel_ap"), 1e-6);
    EXPECT_NEAR(m.f1max.value, scalar(file, "pixel_f1max"), 1e-6);
    EXPECT_NEAR(m.aupro.value, scalar(file, "aupro_030_8connected"), 1e-6);
    if (limit == 500) {
      EXPECT_GT(m.passes, 3);
    }
    for (const auto& [pro_limit, name] :
         {std::pair(0.05, "aupro_005_8connected"), std::pair(1.0, "aupro_100_8connected")}) {
      options.pro_limit = pro_limit;
      EXPECT_NEAR(maps.metrics(options).aupro.value, scalar(file, name), 1e-6) << name;
    }
    options.pro_limit = 0.3;
    options.connectivity = Connectivity::kFour;
    EXPECT_NEAR(maps.metrics(options).aupro.value, scalar(file, "aupro_030_4connected"), 1e-6);
  }
}

TEST(Metrics, TiesByHand) {
  const std::vector<double> s = {.1, .4, .35, .8, .4, .4, .9};
  const std::vector<int> y = {0, 0, 1, 1, 1, 0, 1};
  EXPECT_NEAR(auroc(s, y), 0.75, 1e-12);
  EXPECT_NEAR(average_precision(s, y), 0.8166667, 1e-7);
  EXPECT_NEAR(f1_max(s, y).f1, 0.8, 1e-12);
  EXPECT_NEAR(f1_max(s, y).threshold, 0.35, 1e-12);
}

TEST(Metrics, AurocIsInvariantUnderIncreasingMapsAndMirrored) {
  Rng rng(3);
  std::vector<double> s, t, minus;
  std::vector<int> y;
  for (int i = 0; i < 500; ++i) {
    y.push_back(static_cast<int>(rng.below(2)));
    s.push_back(std::round(10 * (rng.normal() + y.back())) / 10);  // ties
    t.push_back(std::exp(3 * s.back()) + 5);
    minus.push_back(-s.back());
  }
  EXPECT_DOUBLE_EQ(auroc(s, y), auroc(t, y));
  EXPECT_NEAR(auroc(s, y) + auroc(minus, y), 1, 1e-12);
}

TEST(Metrics, BootstrapIntervalHoldsItsValue) {
  const GoldenMaps maps(golden("metrics"));
  std::vector<int> stratum(maps.items.size(), 0);
  for (std::size_t i = 0; i < maps.items.size(); ++i) {
    stratum[i] = std::accumulate(maps.items[i].mask.pixels.begin(), maps.items[i].mask.pixels.end(), 0) > 0;
  }
  const PixelMetrics m = pixel_metrics(
      static_cast<int>(maps.items.size()), [&](int i) { return maps.items[i]; }, stratum);
  for (const Estimate& e : {m.auroc, m.average_precision, m.f1max, m.aupro}) {
    EXPECT_LE(e.ci_low, e.value);
    EXPECT_GE(e.ci_high, e.value);
    EXPECT_LT(e.ci_low, e.ci_high);
  }
}

}  // namespace
}  // namespace glint
