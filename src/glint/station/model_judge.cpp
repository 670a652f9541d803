#include "glint/station/model_judge.h"

#include <atomic>

#include "glint/base/files.h"
#include "glint/base/parallel.h"
#include "glint/inspect/open_detector.h"
#include "glint/nn/openmp_threads.h"
#include "glint/station/pictures.h"

namespace glint {
namespace {

class ModelJudge : public Judge {
 public:
  ModelJudge(OpenedDetector opened, std::string file_sha256, bool any_size)
      : inspector_(std::move(opened.inspector)), decision_(std::move(opened.decision)) {
    facts_ = {std::move(file_sha256),
              opened.model.method,
              opened.model.backbone.name,
              decision_.conformal.threshold,
              decision_.colour_scale(),
              decision_.good_scores,
              decision_.mode,
              decision_.guarantee,
              decision_.conformal.wished_rate,
              decision_.conformal.guaranteed_rate,
              decision_.conformal.realised_upper};
    // A blank image is no part of any shape or pose: only that the model can score is tried.
    decision_.scorer.score(
        inspector_.patch_scores({RgbImage(opened.model.input.size, opened.model.input.size)})[0]);
    if (any_size) decision_.photographs.reset();
  }
  const JudgeFacts& facts() const override { return facts_; }
  InspectionResult judge(const RgbImage& photograph) const override {
    // Alone it has all processors, beside others its share.
    const InUse use(in_use_);
    const OpenMpThreads threads(std::max(1, available_threads() / use.now));
    return inspect_image(inspector_, decision_, photograph, "", kMapSide);
  }

 private:
  struct InUse {
    explicit InUse(std::atomic<int>& count) : now(++count), count_(count) {}
    ~InUse() { --count_; }
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;
    const int now;  ///< this one among them
    std::atomic<int>& count_;
  };

  mutable std::atomic<int> in_use_{0};
  Inspector inspector_;
  Decision decision_;
  JudgeFacts facts_;
};

}  // namespace

JudgeLoader model_judge_loader(const std::string& device, bool any_size) {
  const auto where = parse_enum<DeviceChoice>(device, "--device");
  check_device(where);  // an absent one is refused before any file is read
  return [where, any_size](const std::vector<std::byte>& file,
                           const std::string& name) -> std::shared_ptr<const Judge> {
    // Any size first: the blank image has the network's own.
    OpenedDetector opened =
        open_detector(parse_safetensors(file, name), name, {where, Precision::kAuto, /*any_size=*/true});
    return std::make_shared<ModelJudge>(std::move(opened), sha256_hex(file), any_size);
  };
}

}  // namespace glint
