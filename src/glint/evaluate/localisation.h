// Figures of localisation that only some datasets have: MVTec LOCO's saturated overlap, kinds of anomalies
// apart, and hits of boxes where a dataset has boxes instead of masks.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "glint/metrics/intervals.h"
#include "glint/metrics/pixel_metrics.h"

namespace glint {

struct Evaluation;
class Inspector;

/// MVTec LOCO reports its two kinds of anomalies ("logical_anomalies", "structural_anomalies") apart, each
/// against the good images, and their mean.
struct SaturatedFigures {
  double limit = 0;                               ///< of the false positive rate
  std::map<std::string, Estimate> au_spro;        ///< by class
  double mean_au_spro = 0, mean_image_auroc = 0;  ///< over the classes
};

/// The pointing game (Zhang et al., IJCV 2018): an image is a hit when the highest pixel of its map lies in
/// one of its boxes.
struct BoxHits {
  int images = 0, hits = 0;
  Estimate rate;  ///< Wilson
};

/// Nothing when no test image has saturations. Uses the images and classes that are measured already.
std::optional<SaturatedFigures> saturated_figures(const Evaluation& evaluation, const Inspector& inspector,
                                                  PixelMetricOptions options);

/// Nothing when no test image has boxes.
std::optional<BoxHits> box_hits(const Evaluation& evaluation, const Inspector& inspector);

nlohmann::json saturated_json(const SaturatedFigures& figures);
nlohmann::json box_json(const BoxHits& hits);

}  // namespace glint
