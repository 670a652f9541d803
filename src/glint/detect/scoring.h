// From raw patch scores to the anomaly map and the image score. Can be changed after training: the model
// keeps the raw patch scores of its calibration images.
#pragma once

#include <optional>
#include <vector>

#include "glint/base/options.h"
#include "glint/image/image.h"

namespace glint {

enum class ImageScore {
  kMapMax,     ///< maximum of the smoothed map (the study)
  kPatchMax,   ///< maximum of the raw patch scores (published SimpleNet)
  kTopMean,    ///< mean of the largest share of the smoothed map (published INP-Former: 1 %)
  kAttention,  ///< softmax-weighted mean of the raw patch scores
  kMethod,     ///< the method's own (patchcore: re-weighted; spade, dfm)
};
template <>
struct EnumNames<ImageScore> {
  static constexpr std::pair<ImageScore, std::string_view> table[] = {{ImageScore::kMapMax, "map_max"},
                                                                      {ImageScore::kPatchMax, "patch_max"},
                                                                      {ImageScore::kTopMean, "top_mean"},
                                                                      {ImageScore::kAttention, "attention"},
                                                                      {ImageScore::kMethod, "method"}};
};

/// Where patch scores lie in the map: on cell centres (SimpleNet), or from corner to corner (INP-Former).
enum class Upsampling { kCellCentres, kAlignedCorners };
template <>
struct EnumNames<Upsampling> {
  static constexpr std::pair<Upsampling, std::string_view> table[] = {
      {Upsampling::kCellCentres, "cell_centres"}, {Upsampling::kAlignedCorners, "aligned_corners"}};
};

/// full: radius of four deviations, mirrored border. five_pixels: 5 x 5 taps whatever the deviation, zeros
/// beyond the border (published INP-Former).
enum class SmoothingKernel { kFull, kFivePixels };
template <>
struct EnumNames<SmoothingKernel> {
  static constexpr std::pair<SmoothingKernel, std::string_view> table[] = {
      {SmoothingKernel::kFull, "full"}, {SmoothingKernel::kFivePixels, "five_pixels"}};
};

struct ScoringOptions {
  ImageScore image_score = ImageScore::kMapMax;
  double smoothing_sigma = 2;          ///< pixels of the map; 0 = none
  double top_share = 0.001;            ///< of the map's pixels, for top_mean
  double attention_temperature = 0.1;  ///< in score units, for attention
  Upsampling upsampling = Upsampling::kCellCentres;
  SmoothingKernel smoothing_kernel = SmoothingKernel::kFull;
  int map_size = 0;  ///< side of the smoothed map (of a square of its area), pixels; 0 = the input

  void describe(OptionTable& table);
};

/// What a detector says of one prepared input: raw scores per patch, higher is more anomalous.
struct PatchScores {
  ScoreMap map;       ///< where: becomes the anomaly map
  ScoreMap decision;  ///< whether: the image score also rests on these; empty when the map alone decides
  std::optional<float> image;  ///< the method's own image score, where it has one
};

/// Patch scores brought to size x size and smoothed.
ScoreMap anomaly_map(const ScoreMap& patch_scores, ImageSize size, const ScoringOptions& options);

/// Of one kind of patch scores and its map. Higher is more anomalous.
double image_score(const ScoreMap& patch_scores, const ScoreMap& map, const ScoringOptions& options);

/// -ln of the probability that a good part scores at least this much, from calibration scores: empirical and
/// interpolated up to their 80 % quantile, an exponential tail with the mean excess beyond, so that scores
/// above every calibration score keep their order.
class TailProbability {
 public:
  explicit TailProbability(std::vector<double> good_scores);
  double surprise(double score) const;

 private:
  std::vector<double> sorted_;
  double start_ = 0, start_surprise_ = 0, mean_excess_ = 1;
};

/// Image score of any detector. With decision scores it is Fisher's statistic of two p-values without its
/// factor 2: the surprise of the decision scores plus the surprise of the map (docs/hybrid.md).
class Scorer {
 public:
  /// `calibration`: patch scores of the good parts that set the threshold.
  Scorer(const ScoringOptions& options, ImageSize input_size, const std::vector<PatchScores>& calibration);

  /// Both are the one gate that every score passes, of calibration, inspection, evaluation and station:
  /// Error(kBadInput) when a patch score or what follows from it is not a finite number.
  ScoreMap map(const PatchScores& patches) const;
  double score(const PatchScores& patches) const { return score(patches, map(patches)); }
  double score(const PatchScores& patches, const ScoreMap& map) const;

 private:
  double decision_score(const PatchScores& patches) const;

  ScoringOptions options_;
  ImageSize input_size_;
  std::vector<TailProbability> tails_;  ///< of map and decision; empty when the map alone decides
};

}  // namespace glint
