#include "glint/detect/reverse_distillation/reverse_distillation.h"

#include <ATen/ATen.h>

#include <optional>

#include "glint/base/error.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/reverse_distillation/network.h"
#include "glint/detect/reverse_distillation/options.h"
#include "glint/detect/teacher_maps.h"
#include "glint/detect/training_loop.h"
#include "glint/nn/adam.h"

namespace glint {
namespace {

constexpr int kPublishedReversePasses = 200, kPublishedReverseBatch = 16;
/// The short recipe: for less than 30 minutes on two cores with 320 images and ResNet-18 (docs/recipes.md).
constexpr int kShortReversePasses = 40;
constexpr const char* kReverseAdam = "adam.";
/// Of the input: below, the code is a single cell, over which one image has no batch statistics.
constexpr int kLeastReverseSide = 64;

std::vector<torch::Tensor> as_float(const std::vector<torch::Tensor>& maps) {
  std::vector<torch::Tensor> out;
  for (const torch::Tensor& map : maps) out.push_back(map.to(torch::kFloat));
  return out;
}

class ReverseDistillationDetector : public Detector {
 public:
  ReverseDistillationDetector(std::shared_ptr<const FeatureExtractor> teacher, ReverseDistillationNetwork net)
      : teacher_(std::move(teacher)), net_(std::move(net)) {
    net_.use_bfloat16(teacher_->precision() == Precision::kBFloat16);
  }

  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    const torch::InferenceMode inference;
    const std::vector<torch::Tensor> teacher = map_tensors(*teacher_, inputs, kTeacherLayers);
    const std::int64_t height = teacher[0].size(2), width = teacher[0].size(3);
    return maps_of(
        distance_sum(teacher, net_.decode(net_.encode(teacher, false), teacher, false), height, width));
  }

 private:
  std::shared_ptr<const FeatureExtractor> teacher_;
  ReverseDistillationNetwork net_;
};

class ReverseDistillation : public Method {
 public:
  std::string_view name() const override { return "reverse_distillation"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  /// baseline: as published. The others: short.
  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    if (recipe != Recipe::kBaseline) options_.meta_epochs = kShortReversePasses / options_.passes;
    RecipeDefaults defaults;
    defaults.input.size = 256;
    defaults.scoring.smoothing_sigma = 4;
    defaults.scoring.upsampling = Upsampling::kAlignedCorners;
    return defaults;
  }

  MethodNeeds needs() const override { return {.layers = kTeacherLayers}; }

  void validate(const BackboneSpec&, const InputOptions& input) const override {
    if (input.size < kLeastReverseSide) {
      fail(ErrorCode::kConfig,
           "input.size = {}: {} presses the input into cells of 32 pixels; take at least {}", input.size,
           name(), kLeastReverseSide);
    }
  }

  FitResult fit(const FeatureExtractor& extractor, const FitInput& input) const override {
    const Stopwatch watch;
    const bool bf16 = trains_in_bfloat16(input);
    const TeacherMaps teacher(extractor, input, bf16 ? torch::kBFloat16 : torch::kFloat);
    std::vector<torch::Tensor> held_out;
    if (const auto images = tracker_images(input); !images.empty())
      for (const torch::Tensor& map : map_tensors(extractor, images, kTeacherLayers))
        held_out.push_back(map.clone());
    const double feature_seconds = watch.seconds();

    ReverseDistillationNetwork net =
        input.resume
            ? ReverseDistillationNetwork::from_dict(input.resume->tensors, extractor.spec(), "resume file")
            : ReverseDistillationNetwork::initial(extractor.spec(), input.seed);
    net.require_gradients(true);
    net.use_bfloat16(bf16);
    const std::vector<torch::Tensor> parameters = net.parameters();
    AdamState adam = AdamState::of(parameters);
    if (input.resume) adam.load(input.resume->tensors, kReverseAdam, "resume file");

    LoopCallbacks loop;
    loop.train = [&](const LoopStep& at) -> Readings {
      const std::vector<torch::Tensor> maps = teacher.gather(at.images, at.draw);
      const torch::Tensor loss =
          reverse_distillation_loss(as_float(maps), net.decode(net.encode(maps, true), maps, true));
      loss.backward();
      AdamOptions step;
      step.learning_rate = options_.learning_rate;
      step.beta1 = options_.beta1;
      adam_step(adam, step, parameters, take_gradients(parameters));
      return {{kLoss, loss.item<double>()}};
    };
    loop.track = [&](int) -> Readings {
      if (held_out.empty()) return {};
      const torch::NoGradGuard no_grad;
      return {{"held_out_loss",
               reverse_distillation_loss(held_out, net.decode(net.encode(held_out, false), held_out, false))
                   .item<double>()}};
    };
    loop.state = [&] {
      TensorDict state = net.to_dict();
      adam.save(state, kReverseAdam);
      return state;
    };
    FitResult result;
    TrainingRecord& record = result.record;
    record.series = training_loop(
        input, {options_.meta_epochs, options_.passes, options_.batch, false, "reverse_distillation.order"},
        loop);
    result.weights = net.to_dict();
    record.readings = {{kLoss, "loss"}, {"held_out_loss", "loss on held-out good parts"}};
    record.curves = {{"Loss: training, on held-out good parts (diagnostic only)", {kLoss, "held_out_loss"}}};
    record.figures = {{"length", length_sentence(options_.meta_epochs * options_.passes, options_.batch,
                                                 kPublishedReversePasses, kPublishedReverseBatch)},
                      {"precision", std::string(bf16 ? "bfloat16" : "float32")}};
    record.times = TrainingTimes{feature_seconds, watch.seconds() - feature_seconds};
    return result;
  }

  FitSize fit_size(const BackboneSpec& backbone, std::int64_t, int) const override {
    const std::int64_t weights = ReverseDistillationNetwork::bytes(backbone);
    return {weights, 3 * weights, options_.meta_epochs};
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> extractor, const TensorDict& weights,
                                 const std::string& file) const override {
    ReverseDistillationNetwork net = ReverseDistillationNetwork::from_dict(weights, extractor->spec(), file);
    return std::make_unique<ReverseDistillationDetector>(std::move(extractor), std::move(net));
  }

 private:
  ReverseDistillationOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_reverse_distillation() {
  return std::make_unique<ReverseDistillation>();
}

}  // namespace glint
