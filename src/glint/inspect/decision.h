// The decision on one image: threshold, p-value, verdict. Made from a model's calibration scores, for any
// scoring.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "glint/detect/model_file.h"
#include "glint/inspect/inspection.h"
#include "glint/metrics/conformal.h"

namespace glint {

struct Decision {
  std::string mode;                 ///< holdout, crossfit, folder
  std::string guarantee;            ///< one sentence
  ConformalThreshold conformal;     ///< crossfit: bounds are NaN (null in JSON), because none hold
  std::vector<double> good_scores;  ///< sorted
  Scorer scorer;
  /// The anomaly map's own scale: the maps' maxima over the same good images, and their conformal threshold.
  /// Regions and colours refer to it; it equals `conformal.threshold` when the map's maximum is the score.
  double map_threshold = 0, map_typical = 0;
  /// Photographs of another shape get no verdict; take it away to judge them all the same.
  std::optional<PhotographSizes> photographs;

  /// The pictures' fixed scale: from the middle good part to well above the threshold.
  ColourScale colour_scale() const {
    return {static_cast<float>(map_typical), static_cast<float>(2 * map_threshold - map_typical)};
  }
  double p_value(double score) const { return conformal_p_value(good_scores, score); }
  bool rejects(double score) const { return !(score <= conformal.threshold); }
  nlohmann::json to_json() const;
};

/// From the model's calibration maps under `scoring` (the model's own, or another to compare without
/// retraining). Error(kBadInput) names both thresholds when the recorded one does not follow from the model's
/// own scoring and rate (within 1e-4 of the range of the good scores and threshold: other machines round
/// otherwise).
Decision make_decision(const Model& model, const ScoringOptions& scoring, double false_reject);
/// The model's own scoring and rate.
Decision make_decision(const Model& model);
/// What training records: not compared with a threshold that is recorded already.
Decision calibrate(const Model& model, double false_reject);

inline constexpr int kPhotographSide = std::numeric_limits<int>::max();

/// Scores one photograph and decides. Error(kBadInput) when it gets no verdict: its shape is not one that the
/// model knows, the part cannot be aligned, or its score is not a finite number. map_side: the map's longer
/// side is at most so many pixels, and the photograph's; 0 = no map.
InspectionResult inspect_image(const Inspector& inspector, const Decision& decision, const RgbImage& image,
                               const std::string& path, int map_side = kPhotographSide);

}  // namespace glint
