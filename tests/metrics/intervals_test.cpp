#include "glint/metrics/intervals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "glint/base/random.h"
#include "glint/metrics/ranking.h"

namespace glint {
namespace {

double width(const Estimate& e) {
  return e.ci_high - e.ci_low;
}

void expect_sound(const Estimate& e, const std::string& what) {
  EXPECT_LE(e.ci_low, e.value) << what;
  EXPECT_GE(e.ci_high, e.value) << what;
  EXPECT_GT(width(e), 1e-6) << what;
}

struct Sample {
  std::string name;
  std::vector<double> a, b;  ///< two detectors on the same images
  std::vector<int> labels;
};

/// Samples that make variance estimates collapse, and ordinary ones, of n good and m anomalous images.
std::vector<Sample> samples(int n, int m, std::uint64_t seed) {
  Rng rng(seed, "samples", n, m);
  std::vector<Sample> out = {{"constant", {}, {}, {}},     {"perfect", {}, {}, {}},
                             {"inverted", {}, {}, {}},     {"identical", {}, {}, {}},
                             {"ordinary", {}, {}, {}},     {"two levels", {}, {}, {}},
                             {"one misranked", {}, {}, {}}};
  for (int i = 0; i < n + m; ++i) {
    const int label = i < n ? 0 : 1;
    const double noise = rng.normal();
    const std::vector<std::pair<double, double>> scores = {
        {3, 3},
        {label + 0.01 * i, 5 * label + 0.1 * noise},
        {-label, -label},
        {noise + label, noise + label},
        {noise + label, rng.normal() + label},
        {static_cast<double>(rng.below(2)), static_cast<double>(rng.below(2))},
        {i == 0 ? 9 : label, label}};
    for (std::size_t s = 0; s < out.size(); ++s) {
      out[s].a.push_back(scores[s].first);
      out[s].b.push_back(scores[s].second);
      out[s].labels.push_back(label);
    }
  }
  return out;
}

TEST(Intervals, NoneFromAFiniteSampleHasWidthZero) {
  for (const auto& [n, m] :
       std::vector<std::pair<int, int>>{{1, 1}, {1, 5}, {2, 2}, {3, 9}, {10, 53}, {40, 40}}) {
    for (const Sample& s : samples(n, m, 1)) {
      const std::string what = s.name + " " + std::to_string(n) + "+" + std::to_string(m);
      expect_sound(auroc_interval(s.a, s.labels), what);
      expect_sound(mean_auroc_interval({s.a, s.b, s.a}, s.labels), what);
      EXPECT_GE(auroc_interval(s.a, s.labels).ci_low, 0) << what;
      EXPECT_LE(auroc_interval(s.a, s.labels).ci_high, 1) << what;
      if (std::min(n, m) >= 2) {
        expect_sound(mean_auroc_difference({s.a}, {s.b}, s.labels), what);
        expect_sound(mean_auroc_difference({s.a, s.a}, {s.a}, s.labels), what + ", with itself");
      }
      const auto varies = [](const std::vector<double>& v) {
        return *std::ranges::max_element(v) > v[0] || *std::ranges::min_element(v) < v[0];
      };
      if (n + m >= 6 && varies(s.a) && varies(s.b)) expect_sound(rank_correlation(s.a, s.b), what);
    }
    for (int k = 0; k <= n; ++k) expect_sound(wilson_rate(k, n), "rate");
    for (const double value : {0.0, 0.3, 0.5, 1.0}) {
      const std::vector<double> replicates(100, value);
      const Estimate e = bootstrap_interval(value, replicates, n);
      expect_sound(e, "bootstrap");
      expect_sound(bootstrap_difference(e, e, replicates, replicates, n), "bootstrap of a difference");
    }
  }
}

TEST(Intervals, ShrinkWithTheSample) {
  const auto small = samples(8, 12, 2), large = samples(80, 120, 2);
  for (std::size_t s = 0; s < small.size(); ++s) {
    SCOPED_TRACE(small[s].name);
    const auto of = [](const Sample& x) {
      return std::vector<double>{width(auroc_interval(x.a, x.labels)),
                                 width(mean_auroc_interval({x.a, x.b}, x.labels)),
                                 width(mean_auroc_difference({x.a}, {x.b}, x.labels)),
                                 width(mean_auroc_difference({x.a}, {x.a}, x.labels))};
    };
    const auto wide = of(small[s]), narrow = of(large[s]);
    for (std::size_t k = 0; k < wide.size(); ++k) EXPECT_LT(narrow[k], 0.6 * wide[k]) << k;
  }
  const std::vector<double> same(50, 1.0);
  EXPECT_LT(width(bootstrap_interval(1, same, 100)), 0.2 * width(bootstrap_interval(1, same, 10)));
  std::vector<double> few, many;
  for (int i = 0; i < 100; ++i) (i < 10 ? few : many).push_back(i);
  EXPECT_LT(width(rank_correlation(many, many)), 0.1 * width(rank_correlation(few, few)));
}

TEST(Intervals, KnownValues) {
  const Estimate w = wilson_rate(8, 10);
  EXPECT_NEAR(w.ci_low, 0.4902, 1e-4);
  EXPECT_NEAR(w.ci_high, 0.9433, 1e-4);
  EXPECT_NEAR(clopper_pearson_upper(0, 20), 1 - std::pow(0.05, 1.0 / 20), 1e-9);  // rule of three, exact form
  EXPECT_NEAR(beta_quantile(0.5, 1, 1), 0.5, 1e-9);
  EXPECT_NEAR(beta_quantile(0.95, 2, 3), 0.7514, 1e-4);
  EXPECT_NEAR(normal_quantile(0.975), 1.959964, 1e-6);
  EXPECT_NEAR(student_quantile(0.975, 10), 2.228139, 1e-5);
  EXPECT_NEAR(student_quantile(0.95, 1), 6.313752, 1e-5);
  // Bounded values: the same as a rate where it is one, and wider than a sample of them needs.
  EXPECT_NEAR(bounded_mean_interval(0.8, 10).ci_low, w.ci_low, 1e-12);
  EXPECT_EQ(bounded_mean_interval(0.8, 1).ci_low, 0);
}

TEST(Intervals, NewcombesEndsSolveHisEquation) {
  // Method 5: the ends t with |t - A| = z sqrt(t (1 - t) (1 + N (1 - t)/(2 - t) + N t/(1 + t)) / (m n)),
  // N = (m + n)/2 - 1.
  for (const auto& [a, m, n] : std::vector<std::tuple<double, int, int>>{
           {0.8, 30, 60}, {0.97, 10, 53}, {1.0, 12, 40}, {0.5, 5, 5}, {0.0, 20, 20}}) {
    const Estimate e = newcombe_auroc(a, n, m);
    const double others = (m + n) / 2.0 - 1;
    for (const double t : {e.ci_low, e.ci_high}) {
      if (t == a) continue;  // the closed end at 0 or 1
      const double variance = t * (1 - t) * (1 + others * (1 - t) / (2 - t) + others * t / (1 + t)) / (m * n);
      EXPECT_NEAR(std::abs(t - a), 1.959964 * std::sqrt(variance), 1e-6) << a;
    }
  }
  EXPECT_EQ(newcombe_auroc(1, 12, 40).ci_high, 1);
}

/// Share of worlds whose interval holds the true AUROC of two normal classes.
double auroc_coverage(double truth, int n, int m, double spread_of_anomalous) {
  // truth = Phi(shift / sqrt(1 + spread^2))
  double low = -10, high = 10;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(-middle / std::numbers::sqrt2) < truth ? low : high) = middle;
  }
  const double shift = low * std::hypot(1, spread_of_anomalous);
  constexpr int kWorlds = 2000;
  int covered = 0;
  for (int world = 0; world < kWorlds; ++world) {
    Rng rng(17, "coverage", world, n, m);
    std::vector<double> scores;
    std::vector<int> labels;
    for (int i = 0; i < n + m; ++i) {
      labels.push_back(i < n ? 0 : 1);
      scores.push_back(i < n ? rng.normal() : shift + spread_of_anomalous * rng.normal());
    }
    const Estimate e = auroc_interval(scores, labels);
    covered += e.ci_low <= truth && truth <= e.ci_high;
  }
  return static_cast<double>(covered) / kWorlds;
}

TEST(Intervals, AurocCoversTheTruthAsOftenAsItSaysAlsoNearOne) {
  for (const double truth : {0.8, 0.95, 0.98, 0.995}) {
    for (const auto& [n, m] : std::vector<std::pair<int, int>>{{10, 20}, {10, 53}, {30, 60}}) {
      for (const double spread : {1.0, 3.0}) {
        const double coverage = auroc_coverage(truth, n, m, spread);
        EXPECT_GE(coverage, 0.93) << truth << ' ' << n << '+' << m << " spread " << spread;
      }
    }
  }
  EXPECT_LT(auroc_coverage(0.8, 30, 60, 1), 0.985) << "wider than it needs to be";
}

TEST(Intervals, PairedDifferenceCoversTheTruthAndSeesPairing) {
  // Two detectors whose scores share most of their noise: the paired interval is narrower than two separate
  // ones suggest, and in 95 of 100 worlds it covers the true difference.
  constexpr int kWorlds = 1000, kGood = 60, kBad = 90;
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
    const Estimate d = mean_auroc_difference({a}, {b}, labels);
    covered += d.ci_low <= truth(shift_a) - truth(shift_b) && truth(shift_a) - truth(shift_b) <= d.ci_high;
    const Estimate ea = auroc_interval(a, labels);
    EXPECT_NEAR(d.value, ea.value - auroc_interval(b, labels).value, 1e-12);
    EXPECT_LT(width(d), width(ea));
    const Estimate itself = mean_auroc_difference({a, a}, {a}, labels);
    EXPECT_NEAR(itself.value, 0, 1e-12);
    EXPECT_LT(width(itself), 0.5 * width(ea)) << "that they agree on 150 images is known";
  }
  EXPECT_GT(covered, 0.93 * kWorlds);
  EXPECT_LT(covered, 0.99 * kWorlds);
}

TEST(Intervals, PerfectSeeds) {
  // Three seeds that separate 12 good from 24 anomalous images without a fault: what `compare` used to call
  // [1, 1], and the difference of two such methods [0, 0].
  std::vector<double> scores;
  std::vector<int> labels;
  for (int i = 0; i < 36; ++i) {
    labels.push_back(i < 12 ? 0 : 1);
    scores.push_back(i < 12 ? i : 100 + i);
  }
  const Estimate e = mean_auroc_interval({scores, scores, scores}, labels);
  EXPECT_EQ(e.value, 1);
  EXPECT_EQ(e.ci_high, 1);
  EXPECT_LT(e.ci_low, 0.95);
  EXPECT_GT(e.ci_low, 0.8);
  const Estimate d = mean_auroc_difference({scores, scores}, {scores}, labels);
  EXPECT_EQ(d.value, 0);
  EXPECT_LT(d.ci_low, -0.05);
  EXPECT_GT(d.ci_high, 0.05);
}

TEST(Intervals, BootstrapHoldsItsValueAndKeepsPairing) {
  // F1 and AP are biased upwards in resamples: the value may lie below all of the middle 95 %.
  std::vector<double> replicates;
  for (int i = 0; i < 100; ++i) replicates.push_back(0.7 + 0.001 * i);
  const Estimate biased = bootstrap_interval(0.65, replicates, 20);
  EXPECT_EQ(biased.ci_low, 0.65);
  EXPECT_NEAR(biased.ci_high, 0.7 + 0.001 * 0.975 * 99, 1e-9);
  std::vector<double> better = replicates;
  for (std::size_t i = 0; i < better.size(); ++i) better[i] += 0.02 + (i % 2 == 0 ? 0.001 : -0.001);
  const Estimate d = bootstrap_difference({0.77, 0.7, 0.82}, {0.75, 0.7, 0.8}, better, replicates, 20);
  EXPECT_NEAR(d.ci_low, 0.019, 1e-9);
  EXPECT_NEAR(d.ci_high, 0.021, 1e-9);
  EXPECT_TRUE(std::isnan(bootstrap_interval(0.5, std::vector<double>(10, 0.5), 20).ci_low));
}

TEST(Intervals, RankCorrelationByHandAndAtOne) {
  // 10 pairs; d^2 sums to 12 + 8 + ... by Spearman's formula 1 - 6 sum d^2 / (n (n^2 - 1)).
  const std::vector<double> a = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, b = {2, 1, 4, 3, 6, 5, 8, 7, 10, 9};
  const Estimate r = rank_correlation(a, b);
  const double by_hand = 1 - 6.0 * 10 / (10 * 99), half = 1.959964 * std::sqrt(1.06 / 7);
  EXPECT_NEAR(r.value, by_hand, 1e-12);
  EXPECT_NEAR(r.ci_low, std::tanh(std::atanh(by_hand) - half), 1e-6);
  const Estimate one = rank_correlation(a, a);
  EXPECT_EQ(one.value, 1);
  EXPECT_EQ(one.ci_high, 1);
  EXPECT_LT(one.ci_low, 0.99);
  EXPECT_TRUE(std::isnan(rank_correlation(a, std::vector<double>(10, 4.0)).value));
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
