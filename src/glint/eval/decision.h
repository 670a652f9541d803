// The decision on one image: threshold, p-value, verdict. Made from a model's calibration scores, for any
// scoring.
#pragma once

#include <string>
#include <vector>

#include "glint/detect/model_file.h"
#include "glint/image/regions.h"
#include "glint/metrics/conformal.h"

namespace glint {

struct Decision {
  std::string mode;       ///< holdout, crossfit, folder
  std::string guarantee;  ///< one sentence
  ConformalThreshold conformal;
  std::vector<double> good_scores;  ///< sorted
  Scorer scorer;
  /// The anomaly map's own scale: the maps' maxima over the same good images, and their conformal threshold.
  /// Regions and colours refer to it; it equals `conformal.threshold` when the map's maximum is the score.
  double map_threshold = 0, map_typical = 0;

  double p_value(double score) const { return conformal_p_value(good_scores, score); }
  bool rejects(double score) const { return score > conformal.threshold; }
  nlohmann::json to_json() const;
};

/// From the model's calibration maps under `scoring` (the model's own, or another to compare without
/// retraining).
Decision make_decision(const Model& model, const ScoringOptions& scoring, double false_reject);
/// The model's own scoring and rate.
Decision make_decision(const Model& model);

struct InspectionResult {
  std::string path;
  double score = 0, threshold = 0, p_value = 0;
  bool rejected = false;
  std::vector<Region> regions;  ///< in the photograph's pixels, where map > map_threshold
  ScoreMap map;                 ///< photograph size
};

/// Scores one photograph and decides.
InspectionResult inspect_image(const Inspector& inspector, const Decision& decision, const RgbImage& image,
                               const std::string& path);

}  // namespace glint
