#include "glint/eval/decision.h"

#include <algorithm>

#include "glint/base/error.h"

namespace glint {
namespace {

std::string guarantee_text(const std::string& mode, const ConformalThreshold& c) {
  if (mode == "crossfit") {
    return fmt::format(
        "cross-conformal over {} good images: the false-reject rate is close to {:.3g} on average and at "
        "most {:.3g} "
        "(twice) in theory, because each image was scored by a detector trained without it, not by this one",
        c.good_images, c.guaranteed_rate, std::min(1.0, 2 * c.guaranteed_rate));
  }
  return fmt::format(
      "split-conformal over {} good images that the detector did not train on: a new good part like these is "
      "rejected "
      "with probability at most {:.3g}; with 95 % confidence the rate of this threshold is below {:.3g}",
      c.good_images, c.guaranteed_rate, c.realised_upper);
}

}  // namespace

nlohmann::json Decision::to_json() const {
  return {{"mode", mode},
          {"guarantee", guarantee},
          {"threshold", conformal.threshold},
          {"wished_rate", conformal.wished_rate},
          {"guaranteed_rate", conformal.guaranteed_rate},
          {"smallest_rate", conformal.smallest_rate},
          {"realised_rate_upper_95", conformal.realised_upper},
          {"good_images", conformal.good_images}};
}

Decision make_decision(const Model& model, const ScoringOptions& scoring, double false_reject) {
  Decision out;
  const auto& calibration = model.record.contains("decision") ? model.record["decision"] : nlohmann::json();
  if (!calibration.is_object() || !calibration.contains("mode") || !calibration["mode"].is_string()) {
    fail(ErrorCode::kBadInput, "the model's record lacks its calibration; train it again");
  }
  out.mode = calibration["mode"].get<std::string>();
  for (const ScoreMap& patches : calibration_maps(model)) {
    out.good_scores.push_back(image_score(patches, anomaly_map(patches, model.input.size, scoring), scoring));
  }
  std::sort(out.good_scores.begin(), out.good_scores.end());
  out.conformal = conformal_threshold(out.good_scores, false_reject);
  out.guarantee = guarantee_text(out.mode, out.conformal);
  return out;
}

Decision make_decision(const Model& model) {
  const auto rate =
      model.record.value(nlohmann::json::json_pointer("/decision/wished_rate"), nlohmann::json());
  if (!rate.is_number())
    fail(ErrorCode::kBadInput, "the model's record lacks its false-reject rate; train it again");
  return make_decision(model, model.scoring, rate.get<double>());
}

InspectionResult inspect_image(const Inspector& inspector, const Decision& decision,
                               const ScoringOptions& scoring, const RgbImage& image,
                               const std::string& path) {
  const ScoreMap patches = inspector.patch_scores({image})[0];
  const ScoreMap map = inspector.map(patches, scoring);
  InspectionResult out;
  out.path = path;
  out.score = image_score(patches, map, scoring);
  out.threshold = decision.conformal.threshold;
  out.p_value = decision.p_value(out.score);
  out.rejected = decision.rejects(out.score);
  out.map = map_to_image(map, inspector.input(), image.width, image.height);
  out.regions = regions_above(out.map, static_cast<float>(out.threshold));
  return out;
}

}  // namespace glint
