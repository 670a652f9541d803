#include "glint/station/model_judge.h"

#include "glint/base/files.h"
#include "glint/inspect/decision.h"

namespace glint {
namespace {

class ModelJudge : public Judge {
 public:
  ModelJudge(const Model& model, std::string file_sha256, const torch::Device& device,
             const std::string& name, bool any_size)
      : inspector_(model, device, Precision::kAuto, name), decision_(make_decision(model)) {
    facts_ = {std::move(file_sha256),
              model.method,
              model.backbone.name,
              decision_.conformal.threshold,
              decision_.colour_scale(),
              decision_.good_scores,
              decision_.mode,
              decision_.guarantee,
              decision_.conformal.wished_rate,
              decision_.conformal.guaranteed_rate,
              decision_.conformal.realised_upper};
    // A blank image is no part of any shape or pose: only that the model can score is tried.
    decision_.scorer.score(inspector_.patch_scores({RgbImage(model.input.size, model.input.size)})[0]);
    if (any_size) decision_.photographs.reset();
  }
  const JudgeFacts& facts() const override { return facts_; }
  InspectionResult judge(const RgbImage& photograph) const override {
    return inspect_image(inspector_, decision_, photograph, "");
  }

 private:
  Inspector inspector_;
  Decision decision_;
  JudgeFacts facts_;
};

}  // namespace

JudgeLoader model_judge_loader(const std::string& device, bool any_size) {
  const torch::Device where = resolve_device(parse_enum<DeviceChoice>(device, "--device"));
  return [where, any_size](const std::vector<std::byte>& file,
                           const std::string& name) -> std::shared_ptr<const Judge> {
    const Model model = model_from_file(parse_safetensors(file, name), name);
    return std::make_shared<ModelJudge>(model, sha256_hex(file), where, name, any_size);
  };
}

}  // namespace glint
