// Detection limit of a model: how small a synthetic defect in a held-out good part is still rejected.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "glint/base/progress.h"
#include "glint/data/dataset.h"
#include "glint/detect/model_file.h"
#include "glint/metrics/detection_limit.h"
#include "glint/metrics/intervals.h"
#include "glint/synth/synthetic_defect.h"

namespace glint {

struct LimitOptions {
  std::vector<SyntheticDefect> kinds = {SyntheticDefect::kScratch, SyntheticDefect::kBlob,
                                        SyntheticDefect::kStain, SyntheticDefect::kCutPaste};
  std::vector<double> contrasts = {0.1, 0.3};  ///< of the grey range
  double smallest_px = 4, largest_px = 128;    ///< of the ladder, pixels of the photograph
  int sizes = 8;
  int trials = 40;  ///< defects of each kind, contrast and size
  double false_reject = 0.01;
  double pixel_pitch_um = 0;  ///< 0 = unknown
  std::uint64_t seed = 0;
};

/// One kind and contrast.
struct LimitSeries {
  SyntheticDefect kind = SyntheticDefect::kScratch;
  double contrast = 0;
  std::vector<SizeTrials> trials;  ///< hit = the part is rejected
  std::vector<double> localised;   ///< share of trials whose map peaks on the defect
  DetectionLimit limit;            ///< bounds at the ladder's sizes
};

/// One defect near the limit, for the report.
struct LimitExample {
  SyntheticDefect kind = SyntheticDefect::kScratch;
  double contrast = 0, size_px = 0;
  bool rejected = false;
  RgbImage image;
  Mask mask;
};

struct LimitStudy {
  int images = 0;          ///< good images that carried the defects
  bool held_out = true;    ///< from test/good; false = the calibration images, which the threshold has seen
  Estimate false_rejects;  ///< of the same images without a defect
  double false_reject = 0, pixel_pitch_um = 0;
  std::vector<LimitSeries> series;
  std::vector<LimitExample> examples;
};

/// Defects go into test/good, or into the calibration images when there are fewer than five of those.
/// Error(kBadInput) when neither is at hand.
LimitStudy measure_limit(const Model& model, const Inspector& inspector, const Dataset& dataset,
                         const LimitOptions& options, ProgressSink& progress);

nlohmann::json limit_json(const LimitStudy& study);
std::string limit_text(const LimitStudy& study);
/// "12.3 px (0.25 mm)"; what an absent size means is said in words.
std::string size_text(const std::optional<double>& size_px, const LimitStudy& study);

}  // namespace glint
