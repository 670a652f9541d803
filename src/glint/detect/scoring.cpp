#include "glint/detect/scoring.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "glint/base/error.h"
#include "glint/image/resample.h"

namespace glint {

void ScoringOptions::describe(OptionTable& table) {
  table.add("scoring.image_score", image_score, "how the image score follows from the scores of its patches");
  table.add("scoring.smoothing_sigma", smoothing_sigma,
            "standard deviation of the map's Gaussian in input pixels", {0, 64});
  table.add("scoring.top_share", top_share, "share of the map that top_mean averages", {1e-6, 1});
  table.add("scoring.attention_temperature", attention_temperature, "score units per e-fold of attention",
            {1e-4, 1e4});
  table.add("scoring.upsampling", upsampling, "where patch scores lie in the map");
  table.add("scoring.smoothing_kernel", smoothing_kernel, "extent and border of the map's Gaussian");
  table.add("scoring.map_size", map_size,
            "side of the smoothed map in pixels (of a square of its area); 0 = the network's input",
            {0, 4096});
}

ScoreMap anomaly_map(const ScoreMap& patch_scores, ImageSize size, const ScoringOptions& options) {
  const auto alignment = options.upsampling == Upsampling::kAlignedCorners ? SampleAlignment::kCorners
                                                                           : SampleAlignment::kPixelCentres;
  ScoreMap map = resize_bilinear(patch_scores, size.width, size.height, alignment);
  if (options.map_size > 0) {
    const double scale = options.map_size / std::sqrt(static_cast<double>(size.width) * size.height);
    const auto side = [&](int pixels) { return std::max(1, static_cast<int>(std::lround(scale * pixels))); };
    map = resize_bilinear(map, side(size.width), side(size.height));
  }
  return options.smoothing_kernel == SmoothingKernel::kFull
             ? gaussian_smooth(map, options.smoothing_sigma)
             : gaussian_smooth_five(map, options.smoothing_sigma);
}

double image_score(const ScoreMap& patch_scores, const ScoreMap& map, const ScoringOptions& options) {
  GLINT_CHECK(!patch_scores.values.empty() && !map.values.empty());
  switch (options.image_score) {
    case ImageScore::kMapMax:
      return *std::max_element(map.values.begin(), map.values.end());
    case ImageScore::kPatchMax:
      return *std::max_element(patch_scores.values.begin(), patch_scores.values.end());
    case ImageScore::kTopMean: {
      std::vector<float> values = map.values;
      const auto k = std::max<std::ptrdiff_t>(
          1, static_cast<std::ptrdiff_t>(options.top_share * static_cast<double>(values.size())));
      std::partial_sort(values.begin(), values.begin() + k, values.end(), std::greater<>());
      double sum = 0;
      for (std::ptrdiff_t i = 0; i < k; ++i) sum += values[i];
      return sum / static_cast<double>(k);
    }
    case ImageScore::kAttention: {
      const double top = *std::max_element(patch_scores.values.begin(), patch_scores.values.end());
      double weights = 0, sum = 0;
      for (const float s : patch_scores.values) {
        const double w = std::exp((s - top) / options.attention_temperature);
        weights += w;
        sum += w * s;
      }
      return sum / weights;
    }
    case ImageScore::kMethod:
      break;  // not made from a map: Scorer::score
  }
  GLINT_CHECK(false);
  return 0;
}

namespace {

void require_finite(double score) {
  if (!std::isfinite(score)) {
    fail(ErrorCode::kBadInput,
         "the detector's score is not a finite number: the model is damaged or its training diverged; train "
         "it again");
  }
}

void require_finite(const ScoreMap& map) {
  for (const float v : map.values) {
    if (!std::isfinite(v)) return require_finite(static_cast<double>(v));
  }
}

}  // namespace

TailProbability::TailProbability(std::vector<double> good_scores) : sorted_(std::move(good_scores)) {
  GLINT_CHECK(!sorted_.empty());
  constexpr double kTailShare = 0.2;
  std::sort(sorted_.begin(), sorted_.end());
  const std::size_t n = sorted_.size();
  const auto tail = std::max<std::size_t>(1, static_cast<std::size_t>(kTailShare * static_cast<double>(n)));
  start_ = sorted_[n - tail];
  start_surprise_ = -std::log(static_cast<double>(tail + 1) / static_cast<double>(n + 1));
  double excess = 0;
  for (std::size_t i = n - tail; i < n; ++i) excess += sorted_[i] - start_;
  // Ties at the top leave no excess to measure: any positive scale keeps the order.
  mean_excess_ = excess > 0 ? excess / static_cast<double>(tail) : std::max(1e-12, std::abs(start_) * 1e-6);
}

double TailProbability::surprise(double score) const {
  if (score >= start_) return start_surprise_ + (score - start_) / mean_excess_;
  const auto n = static_cast<double>(sorted_.size());
  const auto above = std::lower_bound(sorted_.begin(), sorted_.end(), score);  // first >= score
  const auto rank = static_cast<double>(sorted_.end() - above);
  const double here = -std::log((rank + 1) / (n + 1));
  if (above == sorted_.begin()) return here;
  // between two calibration scores: linear
  const double low = *(above - 1), high = *above;
  const double below = -std::log((rank + 2) / (n + 1));
  return high > low ? below + (here - below) * (score - low) / (high - low) : here;
}

Scorer::Scorer(const ScoringOptions& options, ImageSize input_size,
               const std::vector<PatchScores>& calibration)
    : options_(options), input_size_(input_size) {
  if (calibration.empty() || calibration[0].decision.values.empty() ||
      options.image_score == ImageScore::kMethod)
    return;
  std::vector<double> maps, decisions;
  for (const PatchScores& patches : calibration) {
    maps.push_back(image_score(patches.map, map(patches), options_));
    decisions.push_back(decision_score(patches));
    for (const double score : {maps.back(), decisions.back()}) require_finite(score);
  }
  tails_ = {TailProbability(std::move(maps)), TailProbability(std::move(decisions))};
}

ScoreMap Scorer::map(const PatchScores& patches) const {
  require_finite(patches.map);
  ScoreMap out = anomaly_map(patches.map, input_size_, options_);
  require_finite(out);
  return out;
}

double Scorer::decision_score(const PatchScores& patches) const {
  return image_score(patches.decision, anomaly_map(patches.decision, input_size_, options_), options_);
}

double Scorer::score(const PatchScores& patches, const ScoreMap& map) const {
  // A maximum passes over NaN, so that the patches count and not only what follows from them.
  require_finite(patches.map);
  require_finite(patches.decision);
  require_finite(map);
  if (options_.image_score == ImageScore::kMethod) {
    if (!patches.image) {
      fail(ErrorCode::kConfig,
           "scoring.image_score = method: this detector has no image score of its own; choose map_max or "
           "another");
    }
    require_finite(*patches.image);
    return *patches.image;
  }
  double score = image_score(patches.map, map, options_);
  if (!tails_.empty() && patches.decision.values.empty())
    fail(ErrorCode::kBadInput, "the model has calibration scores of another method; train it again");
  if (!tails_.empty()) score = tails_[0].surprise(score) + tails_[1].surprise(decision_score(patches));
  require_finite(score);
  return score;
}

}  // namespace glint
