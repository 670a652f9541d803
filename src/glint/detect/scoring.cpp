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
}

ScoreMap anomaly_map(const ScoreMap& patch_scores, int size, const ScoringOptions& options) {
  return gaussian_smooth(resize_bilinear(patch_scores, size, size), options.smoothing_sigma);
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
  }
  GLINT_CHECK(false);
  return 0;
}

}  // namespace glint
