// From raw patch scores to the anomaly map and the image score. Can be changed after training: the model
// keeps the raw patch scores of its calibration images.
#pragma once

#include "glint/base/options.h"
#include "glint/image/image.h"

namespace glint {

enum class ImageScore {
  kMapMax,     ///< maximum of the smoothed map (the study)
  kPatchMax,   ///< maximum of the raw patch scores (published SimpleNet)
  kTopMean,    ///< mean of the largest share of the smoothed map (published INP-Former: 1 %)
  kAttention,  ///< softmax-weighted mean of the raw patch scores
};
template <>
struct EnumNames<ImageScore> {
  static constexpr std::pair<ImageScore, std::string_view> table[] = {{ImageScore::kMapMax, "map_max"},
                                                                      {ImageScore::kPatchMax, "patch_max"},
                                                                      {ImageScore::kTopMean, "top_mean"},
                                                                      {ImageScore::kAttention, "attention"}};
};

struct ScoringOptions {
  ImageScore image_score = ImageScore::kMapMax;
  double smoothing_sigma = 2;          ///< pixels of the network's input; 0 = none
  double top_share = 0.001;            ///< of the map's pixels, for top_mean
  double attention_temperature = 0.1;  ///< in score units, for attention

  void describe(OptionTable& table);
};

/// Patch scores brought to size x size (bilinear, no corner alignment) and smoothed.
ScoreMap anomaly_map(const ScoreMap& patch_scores, int size, const ScoringOptions& options);

/// Higher is more anomalous.
double image_score(const ScoreMap& patch_scores, const ScoreMap& map, const ScoringOptions& options);

}  // namespace glint
