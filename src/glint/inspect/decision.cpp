#include "glint/inspect/decision.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/base/order_statistics.h"
#include "glint/image/resample.h"
#include "glint/metrics/arithmetic.h"
#include "glint/metrics/estimate_json.h"

namespace glint {
namespace {

constexpr const char* kCrossfit = "crossfit";

std::string guarantee_text(const std::string& mode, const ConformalThreshold& c, bool two_scores) {
  std::string text =
      mode == kCrossfit
          ? fmt::format(
                "cross-fitting over {} good images, each scored by a detector that was trained without it, "
                "not "
                "by this one: no finite-sample bound holds; about {:.3g} of new good parts like these are "
                "rejected if the detector hardly depends on which images it was trained on (docs/recipes.md "
                "has "
                "simulated rates)",
                c.good_images, c.guaranteed_rate)
          : fmt::format(
                "split-conformal over {} good images that the detector did not train on: a new good part "
                "like "
                "these is rejected with probability at most {:.3g}; with 95 % confidence the rate of this "
                "threshold is below {:.3g}",
                c.good_images, c.guaranteed_rate, c.realised_upper);
  if (two_scores) {
    text += fmt::format(
        ". Two scores were combined by p-values over the same good images, so that {}",
        mode == kCrossfit ? "the rate is one more approximation" : "the bound holds approximately");
  }
  return text;
}

}  // namespace

nlohmann::json Decision::to_json() const {
  return {{"mode", mode},
          {"guarantee", guarantee},
          {"threshold", conformal.threshold},
          {"wished_rate", conformal.wished_rate},
          {"guaranteed_rate", number_json(conformal.guaranteed_rate)},
          {"smallest_rate", conformal.smallest_rate},
          {"realised_rate_upper_95", number_json(conformal.realised_upper)},
          {"good_images", conformal.good_images}};
}

namespace {

Decision decide(const Model& model, const ScoringOptions& scoring, double false_reject) {
  if (!(false_reject > 0 && false_reject < 1))
    fail(ErrorCode::kConfig, "a tolerable false-reject rate of {}: must lie between 0 and 1", false_reject);
  const std::vector<PatchScores> scores = calibration_scores(model);
  Decision out{"", "", {}, {}, Scorer(scoring, model.input.canvas(), scores)};
  out.photographs = model.photographs;
  const auto& calibration = model.record.contains("decision") ? model.record["decision"] : nlohmann::json();
  if (!calibration.is_object() || !calibration.contains("mode") || !calibration["mode"].is_string()) {
    fail(ErrorCode::kBadInput, "{}: the model's record lacks its calibration; train it again", model.file);
  }
  out.mode = calibration["mode"].get<std::string>();
  std::vector<double> peaks;
  for (const PatchScores& patches : scores) {
    const ScoreMap map = out.scorer.map(patches);
    out.good_scores.push_back(out.scorer.score(patches, map));
    peaks.push_back(*std::max_element(map.values.begin(), map.values.end()));
  }
  std::sort(out.good_scores.begin(), out.good_scores.end());
  out.conformal = conformal_threshold(out.good_scores, false_reject);
  out.map_threshold = conformal_threshold(peaks, false_reject).threshold;
  out.map_typical = median(peaks);
  out.guarantee = guarantee_text(out.mode, out.conformal, !scores[0].decision.values.empty());
  if (out.mode == kCrossfit) out.conformal.guaranteed_rate = out.conformal.realised_upper = kNaN;
  return out;
}

double recorded_number(const Model& model, const char* key) {
  const auto value =
      model.record.value(nlohmann::json::json_pointer(std::string("/decision/") + key), nlohmann::json());
  if (!value.is_number())
    fail(ErrorCode::kBadInput, "{}: the model's record lacks its {}; train it again", model.file, key);
  return value.get<double>();
}

}  // namespace

Decision make_decision(const Model& model, const ScoringOptions& scoring, double false_reject) {
  make_decision(model);  // also compares with what the model records
  return decide(model, scoring, false_reject);
}

Decision make_decision(const Model& model) {
  Decision out = decide(model, model.scoring, recorded_number(model, "wished_rate"));
  const double recorded = recorded_number(model, "threshold"), computed = out.conformal.threshold;
  const double range =
      std::max({std::abs(recorded), std::abs(out.good_scores.front()), std::abs(out.good_scores.back())});
  constexpr double kTolerance = 1e-4;
  if (!(std::abs(recorded - computed) <= kTolerance * range)) {
    fail(ErrorCode::kBadInput,
         "{}: records the threshold {:.9g}, its calibration scores give {:.9g}: the file was damaged or "
         "changed; "
         "train it again",
         model.file, recorded, computed);
  }
  return out;
}

Decision calibrate(const Model& model, double false_reject) {
  return decide(model, model.scoring, false_reject);
}

InspectionResult inspect_image(const Inspector& inspector, const Decision& decision, const RgbImage& image,
                               const std::string& path, int map_side) {
  if (decision.photographs) {
    const std::string reason =
        decision.photographs->refusal(image.width, image.height, inspector.views().options().canvas());
    if (!reason.empty()) fail(ErrorCode::kBadInput, "{}", reason);
  }
  const PhotographScores patches = inspector.patch_scores({image})[0];
  if (!patches.placement.refusal.empty()) fail(ErrorCode::kBadInput, "{}", patches.placement.refusal);
  const ScoreMap map = decision.scorer.map(patches);
  InspectionResult out;
  out.path = path;
  if (decision.photographs) out.notice = decision.photographs->notice(image.width, image.height);
  out.score = decision.scorer.score(patches, map);
  out.threshold = decision.conformal.threshold;
  out.p_value = decision.p_value(out.score);
  out.rejected = decision.rejects(out.score);
  // Values between cells never exceed the cells': only a map with a region is needed in full.
  const auto threshold = static_cast<float>(decision.map_threshold);
  if (*std::max_element(map.values.begin(), map.values.end()) > threshold) {
    out.map = inspector.views().to_photograph(map, patches.placement);
    out.regions = regions_above(out.map, threshold);
    const ImageSize wanted = fitted_size({image.width, image.height}, map_side);
    out.map = map_side > 0 ? resize_bilinear(out.map, wanted.width, wanted.height) : ScoreMap();
  } else if (map_side > 0) {
    out.map = inspector.views().to_photograph(map, patches.placement, map_side);
  }
  return out;
}

}  // namespace glint
