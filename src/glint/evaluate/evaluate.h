// A model over a test set: scores, metrics with intervals, the decision's errors, per class. No drawing here.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "glint/base/progress.h"
#include "glint/data/dataset.h"
#include "glint/detect/model_file.h"
#include "glint/evaluate/localisation.h"
#include "glint/inspect/decision.h"
#include "glint/metrics/pixel_metrics.h"

namespace glint {

struct EvaluateOptions {
  ScoringOptions scoring;  ///< the model's own unless the user compares another
  double false_reject = 0.01;
  PixelMetricOptions pixel;
};

struct ScoredImage {
  Sample sample;
  PhotographScores patches;
  double score = 0, p_value = 0;
  bool rejected = false;
  std::int64_t defect_area_px = 0;  ///< from the mask
  int defect_regions = 0;
};

struct ClassResult {
  std::string label;
  int images = 0, rejected = 0;
  Estimate rejected_rate;  ///< Wilson: detection rate of a defect class, false-reject rate of "good"
  Estimate image_auroc;    ///< this class against good; NaN for good
  std::optional<PixelMetrics> pixel;  ///< this class and the good images; without intervals
  double mean_area_px = 0, median_area_px = 0, mean_area_share = 0;
  double mean_regions = 0;
};

struct Evaluation {
  Decision decision;
  ScoringOptions scoring;
  std::vector<ScoredImage> images;
  Estimate image_auroc, image_ap, image_f1max;
  double image_f1max_threshold = 0;
  PixelMetrics pixel;    ///< NaN values when there is no mask
  int pixel_images = 0;  ///< that entered the pixel metrics
  std::vector<CurvePoint> roc;
  std::vector<ClassResult> classes;           ///< good first
  std::optional<SaturatedFigures> saturated;  ///< of MVTec LOCO
  std::optional<BoxHits> box_hits;            ///< of datasets with boxes instead of masks
  std::vector<std::string> warnings;
  std::vector<std::string> leaked;
  double seconds_per_image = 0;
};

inline constexpr std::size_t kScoreBatch = 4;  ///< photographs in one call of patch_scores

/// The test set of `dataset` under `model`. Also refuses (Error kBadInput) test images that are among the
/// images the model was trained on or calibrated with, by hash, unless the dataset was scanned with
/// allow_leakage.
Evaluation evaluate_model(const Model& model, const Inspector& inspector, const Dataset& dataset,
                          const EvaluateOptions& options, bool allow_leakage, ProgressSink& progress);

/// The same patch scores under other scoring options: no network is run. Keeps no warnings.
Evaluation rescore(const Evaluation& scored, const Model& model, const Inspector& inspector,
                   const EvaluateOptions& options, ProgressSink& progress);

/// Anomaly map of a scored image at its photograph's size.
ScoreMap full_map(const ScoredImage& image, const Inspector& inspector, const Scorer& scorer);

/// results.json (docs/results.schema.json).
nlohmann::json results_json(const Evaluation& evaluation, const Model& model, const Dataset& dataset);
/// scores.csv: one line per test image.
std::string scores_csv(const Evaluation& evaluation);

/// One epoch of `evaluate --oracle-epochs`: what choosing the epoch on the test set would have shown.
struct OracleEpoch {
  int meta_epoch = 0;
  double image_auroc = 0;
};
/// `epochs_folder`: FitOptions::epochs of the training that made `model`. Error(kNotFound) when it holds none
/// of it.
std::vector<OracleEpoch> oracle_epochs(const Model& model, const std::filesystem::path& epochs_folder,
                                       const Dataset& dataset, const ScoringOptions& scoring,
                                       ProgressSink& progress);

/// One line per figure, for the terminal.
std::string summary_text(const Evaluation& evaluation);

}  // namespace glint
