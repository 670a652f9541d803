#include "glint/detect/inp_former/inp_former.h"

#include <torch/types.h>

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/feature_cache.h"
#include "glint/detect/inp_former/network.h"
#include "glint/detect/inp_former/optimizer.h"
#include "glint/detect/inp_former/options.h"
#include "glint/detect/inp_former/tokens.h"
#include "glint/detect/training_loop.h"
#include "glint/nn/learning_rate.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

class InpFormerDetector : public Detector {
 public:
  InpFormerDetector(std::shared_ptr<const FeatureExtractor> features, InpFormerNet net, TokenGrid grid)
      : features_(std::move(features)),
        device_(resolve_device(features_->place())),
        net_(std::move(net)),
        grid_(grid) {
    net_.to(device_);
    net_.use_bfloat16(features_->precision() == Precision::kBFloat16);
  }

  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    const torch::InferenceMode inference;
    TokenGroups tokens = encode_tokens(*features_, inputs, grid_);
    for (torch::Tensor& group : tokens.groups) group = group.to(device_);
    const torch::Tensor distances =
        token_distances(tokens.groups, net_.forward(tokens.groups).decoded).cpu().contiguous();
    const auto* values = distances.data_ptr<float>();
    std::vector<PatchScores> out;
    for (std::size_t b = 0; b < inputs.size(); ++b) {
      ScoreMap map(tokens.width, tokens.height);
      std::copy_n(values + b * map.values.size(), map.values.size(), map.values.begin());
      out.push_back({std::move(map), {}});
    }
    return out;
  }

 private:
  std::shared_ptr<const FeatureExtractor> features_;
  torch::Device device_;
  InpFormerNet net_;
  TokenGrid grid_;
};

class InpFormer : public Method {
 public:
  std::string_view name() const override { return "inp_former"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  /// baseline: the authors' defaults. refined: the study's variant, as many passes as SimpleNet.
  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec& backbone) override {
    RecipeDefaults defaults;
    options_.meta_epochs = recipe == Recipe::kBaseline ? 50 : 40;
    // A convolutional backbone's decoder converges sooner and costs more per token; docs/recipes.md.
    if (!backbone.transformer) options_.meta_epochs = 10;
    if (recipe == Recipe::kBaseline) {
      defaults.input = InputOptions{Framing::kSquareCrop, 392, 448};
      defaults.scoring.image_score = ImageScore::kTopMean;
      defaults.scoring.top_share = 0.01;
      defaults.scoring.smoothing_sigma = 4;
      defaults.scoring.smoothing_kernel = SmoothingKernel::kFivePixels;
      defaults.scoring.map_size = 256;
    }
    defaults.scoring.upsampling = Upsampling::kAlignedCorners;
    return defaults;
  }

  MethodNeeds needs() const override { return {FeatureKind::kMapsOrTokens, kTokenLayers}; }
  void validate(const BackboneSpec&, const InputOptions&) const override {
    if (options_.decoder_blocks % 2 != 0) {
      fail(ErrorCode::kConfig, "inp_former.decoder_blocks = {}: must be even, half for each group",
           options_.decoder_blocks);
    }
  }

  FitResult fit(const FeatureExtractor& extractor, const FitInput& input) const override {
    const Stopwatch watch;
    const InpFormerShape shape = inp_former_shape(extractor.spec(), options_);
    const torch::Device device = resolve_device(extractor.place());
    const bool bf16 = resolve_precision(input.precision, extractor.place()) == Precision::kBFloat16;
    const auto features = training_features(
        fmt::format("inp_former/{}", enum_name(options_.grid)), input,
        [&](const std::vector<RgbImage>& images) {
          return pack_groups(encode_tokens(extractor, images, options_.grid).groups);
        },
        bf16 ? torch::kBFloat16 : torch::kFloat);
    const double feature_seconds = watch.seconds();

    InpFormerNet net = InpFormerNet::initial(shape, input.seed);
    StableAdamW optimizer(options_.weight_decay);
    if (input.resume) {
      net = InpFormerNet::from_dict(shape, input.resume->tensors, "resume file");
      optimizer.load(input.resume->tensors, "resume file");
    }
    net.to(device);
    net.use_bfloat16(bf16);
    net.require_gradients(true);

    std::vector<torch::Tensor> held_out;
    if (const auto images = tracker_images(input); !images.empty()) {
      for (const torch::Tensor& group : encode_tokens(extractor, images, options_.grid).groups)
        held_out.push_back(group.to(device).clone());
    }

    LoopCallbacks loop;
    loop.train = [&](const LoopStep& at) {
      const torch::Tensor packed = features.gather(at.images, at.draw).to(device).to(torch::kFloat);
      const auto warmup =
          std::min<std::int64_t>(options_.warmup_steps, std::max<std::int64_t>(1, at.total / 5));
      return train_step(
          net, optimizer, unpack_groups(packed, shape.group_widths),
          warm_cosine(at.global, at.total, warmup, options_.learning_rate, options_.final_learning_rate));
    };
    loop.track = [&](int) -> Readings {
      if (held_out.empty()) return {};
      const torch::NoGradGuard no_grad;
      const torch::Tensor distances = token_distances(held_out, net.forward(held_out).decoded);
      return {{"held_out_distance_mean", distances.mean().item<double>()},
              {"held_out_distance_max", std::get<0>(distances.max(1)).mean().item<double>()}};
    };
    loop.state = [&] {
      TensorDict state = net.to_dict();
      optimizer.save(state);
      return state;
    };
    FitResult result;
    TrainingRecord& record = result.record;
    record.series = training_loop(
        input, {options_.meta_epochs, options_.passes, options_.batch, true, "inp_former.order"}, loop);
    result.weights = net.to_dict();
    record.readings = {{"loss", "reconstruction loss"},
                       {"coherence_loss", "coherence loss"},
                       {"held_out_distance_mean", "mean distance of held-out good parts"},
                       {"held_out_distance_max", "largest distance of a held-out good part, mean"}};
    record.curves = {
        {"Reconstruction and coherence loss", {"loss", "coherence_loss"}},
        {"Distance of held-out good parts", {"held_out_distance_mean", "held_out_distance_max"}}};
    record.times = {feature_seconds, watch.seconds() - feature_seconds};
    record.figures = {
        {"precision", std::string(enum_name(bf16 ? Precision::kBFloat16 : Precision::kFloat32))}};
    return result;
  }

  FitSize fit_size(const BackboneSpec& backbone, std::int64_t, int) const override {
    const std::int64_t weights = InpFormerNet::parameter_bytes(inp_former_shape(backbone, options_));
    return {weights, 4 * weights, options_.meta_epochs};  // three moments of each parameter
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> features, const TensorDict& weights,
                                 const std::string& file) const override {
    InpFormerNet net = InpFormerNet::from_dict(inp_former_shape(features->spec(), options_), weights, file);
    return std::make_unique<InpFormerDetector>(std::move(features), std::move(net), options_.grid);
  }

 private:
  Readings train_step(InpFormerNet& net, StableAdamW& optimizer, const std::vector<torch::Tensor>& groups,
                      double learning_rate) const {
    for (auto& [name, p] : net.parameters()) p.mutable_grad().reset();
    const InpFormerNet::Output out = net.forward(groups);
    const torch::Tensor reconstruction = reconstruction_loss(groups, out.decoded, options_.mining_exponent);
    (reconstruction + options_.coherence_weight * out.coherence_loss).backward();
    const double norm = StableAdamW::clip(net.parameters(), options_.clip_norm);
    optimizer.step(net.parameters(), learning_rate);
    return {{"loss", reconstruction.item<double>()},
            {"coherence_loss", out.coherence_loss.item<double>()},
            {"gradient_norm", norm}};
  }

  InpFormerOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_inp_former() {
  return std::make_unique<InpFormer>();
}

}  // namespace glint
