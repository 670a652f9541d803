// ranking, pixel_metrics, intervals and conformal together: they share the golden file.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/metrics/conformal.h"
#include "glint/metrics/intervals.h"
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

TEST(Intervals, KnownValues) {
  const Estimate w = wilson_rate(8, 10);
  EXPECT_NEAR(w.ci_low, 0.4902, 1e-4);
  EXPECT_NEAR(w.ci_high, 0.9433, 1e-4);
  EXPECT_NEAR(clopper_pearson_upper(0, 20), 1 - std::pow(0.05, 1.0 / 20), 1e-9);  // rule of three, exact form
  EXPECT_NEAR(beta_quantile(0.5, 1, 1), 0.5, 1e-9);
  EXPECT_NEAR(beta_quantile(0.95, 2, 3), 0.7514, 1e-4);
}

TEST(Intervals, DelongCoversTheTruthAboutAsOftenAsItSays) {
  // Normal scores, shift 1.19: true AUROC = Phi(1.19 / sqrt 2) = 0.8.
  const double truth = 0.5 * std::erfc(-1.19 / std::sqrt(2.0) / std::sqrt(2.0));
  int covered = 0;
  constexpr int kRuns = 1000;
  for (int r = 0; r < kRuns; ++r) {
    Rng rng(11, "coverage", r);
    std::vector<double> s;
    std::vector<int> y;
    for (int i = 0; i < 90; ++i) {
      y.push_back(i < 30 ? 0 : 1);
      s.push_back(rng.normal() + 1.19 * y.back());
    }
    const Estimate e = delong_auroc(s, y);
    covered += e.ci_low <= truth && truth <= e.ci_high;
  }
  EXPECT_GT(covered, 0.92 * kRuns);
  EXPECT_LT(covered, 0.985 * kRuns);
}

TEST(Intervals, PerfectSeparationStillHasWidth) {
  const std::vector<double> s = {0, 0.1, 0.2, 1, 1.1, 1.2};
  const std::vector<int> y = {0, 0, 0, 1, 1, 1};
  const Estimate e = delong_auroc(s, y);
  EXPECT_EQ(e.value, 1);
  EXPECT_LT(e.ci_low, 0.5);
}

TEST(Conformal, GuaranteeHoldsOnAverage) {
  double rejected = 0;
  constexpr int kRuns = 4000, kN = 64;
  for (int r = 0; r < kRuns; ++r) {
    Rng rng(5, "conformal", r);
    std::vector<double> good;
    for (int i = 0; i < kN; ++i) good.push_back(rng.normal());
    const ConformalThreshold c = conformal_threshold(good, 0.05);
    EXPECT_LE(c.guaranteed_rate, 0.05);
    rejected += rng.normal() > c.threshold ? 1 : 0;
  }
  // 3/65 = 0.0462 exactly; 4000 runs have a standard error of 0.0033
  EXPECT_NEAR(rejected / kRuns, 3.0 / 65, 0.012);
}

TEST(Conformal, RefusesAPromiseItCannotKeep) {
  const std::vector<double> good(50, 0.0);
  EXPECT_EQ(images_needed(0.01), 99);
  EXPECT_EQ(images_needed(0.02), 49);
  EXPECT_NO_THROW(conformal_threshold(std::vector<double>(49, 0.0), 0.02));
  try {
    conformal_threshold(good, 0.01);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("99 images"), std::string::npos) << e.what();
  }
}

TEST(Conformal, PValuesAreUniformEnough) {
  const std::vector<double> good = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(conformal_p_value(good, 5), 0.2);
  EXPECT_DOUBLE_EQ(conformal_p_value(good, 4), 0.4);
  EXPECT_DOUBLE_EQ(conformal_p_value(good, 0), 1.0);
}

TEST(Intervals, PairedDifferenceCoversTheTruthAndSeesPairing) {
  // Two detectors whose scores share most of their noise: the paired interval is narrower than two separate
  // ones suggest, and in 95 of 100 worlds it covers the true difference.
  constexpr int kWorlds = 400, kGood = 60, kBad = 90;
  const double shift_a = 1.2, shift_b = 0.9, own = 0.3;
  const double spread = std::sqrt(2 * (1 + own * own));
  auto truth = [&](double shift) { return 0.5 * std::erfc(-shift / spread / std::numbers::sqrt2); };
  int covered = 0;
  for (int world = 0; world < kWorlds; ++world) {
    Rng rng(5, "paired", world);
    std::vector<double> a, b;
    std::vector<int> labels;
    for (int i = 0; i < kGood + kBad; ++i) {
      const int label = i < kGood ? 0 : 1;
      const double shared = rng.normal();
      a.push_back(shared + own * rng.normal() + label * shift_a);
      b.push_back(shared + own * rng.normal() + label * shift_b);
      labels.push_back(label);
    }
    const Estimate d = delong_mean_difference({a}, {b}, labels);
    covered += d.ci_low <= truth(shift_a) - truth(shift_b) && truth(shift_a) - truth(shift_b) <= d.ci_high;
    const Estimate ea = delong_auroc(a, labels);
    EXPECT_NEAR(d.value, ea.value - delong_auroc(b, labels).value, 1e-12);
    EXPECT_LT(d.ci_high - d.ci_low, ea.ci_high - ea.ci_low);
    EXPECT_EQ(delong_mean_difference({a, a}, {a}, labels).ci_high, 0);
  }
  EXPECT_GT(covered, 0.92 * kWorlds);
  EXPECT_LT(covered, 0.98 * kWorlds);
}

TEST(PixelMetrics, ReplicatesOfTwoDetectorsArePaired) {
  Rng rng(3);
  std::vector<MapAndMask> items;
  std::vector<int> stratum;
  for (int i = 0; i < 12; ++i) {
    MapAndMask item{ScoreMap(16, 16), Mask(16, 16)};
    for (float& v : item.map.values) v = static_cast<float>(rng.normal());
    if (i % 2) {
      for (int p = 40; p < 44; ++p) item.mask.pixels[p] = 1, item.map.values[p] += 1.5F;
    }
    items.push_back(std::move(item));
    stratum.push_back(i % 2);
  }
  PixelMetricOptions options;
  options.bootstrap_replicates = 50;
  auto measure = [&] {
    return pixel_metrics(
        12, [&](int i) { return items[i]; }, stratum, options);
  };
  const PixelMetrics a = measure(), b = measure();
  ASSERT_EQ(a.replicates[3].size(), 50U);
  EXPECT_EQ(a.replicates, b.replicates);
}

TEST(ExpectedInterval, IsHanleyAndMcNeils) {
  // By hand for AUROC 0.9 with 30 and 60 images: Q1 = 9/11, Q2 = 1.62/1.9, variance 0.0010052.
  const Estimate e = expected_auroc_interval(0.9, 30, 60);
  const double logit = std::log(9.0), half = 1.959964 * std::sqrt(0.0010052) / 0.09;
  EXPECT_NEAR(e.ci_low, 1 / (1 + std::exp(-(logit - half))), 1e-4);
  EXPECT_NEAR(e.ci_high, 1 / (1 + std::exp(-(logit + half))), 1e-4);
  const Estimate wide = expected_auroc_interval(0.9, 10, 20);
  EXPECT_LT(wide.ci_low, e.ci_low);
}

}  // namespace
}  // namespace glint
