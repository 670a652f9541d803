#include "glint/detect/supersimplenet/supersimplenet.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/feature_cache.h"
#include "glint/detect/noise_scale.h"
#include "glint/detect/patch_features.h"
#include "glint/detect/supersimplenet/losses.h"
#include "glint/detect/supersimplenet/network.h"
#include "glint/detect/training_loop.h"
#include "glint/nn/adam.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr const char* kSuperSimpleNetScale = "supersimplenet.feature_scale";
constexpr int kPublishedPasses = 300, kPublishedBatch = 32;
/// The short recipe: for less than 30 minutes on two cores with 320 images and ResNet-18 (docs/recipes.md).
constexpr int kShortPasses = 20, kShortBatch = 8;
/// Spread (standard deviation over all values) of WideResNet-50-2's (V1) fine features, for which
/// noise_std = 0.015 was published: the published fingerprint of layer2 (0.120) and layer3 (0.088), weighted
/// by their channels and reduced by the average; an order of magnitude, not a constant of nature.
constexpr double kWideResNetFineSpread = 0.09;

const std::vector<int> kSuperSimpleNetLayers = {2, 3};

/// layer2 and layer3 [B, C, H, W] on their own grids, an eighth of the fine features; float32 on the CPU.
std::vector<torch::Tensor> coarse_maps(const FeatureExtractor& extractor,
                                       const std::vector<RgbImage>& images) {
  const torch::InferenceMode inference;
  return map_tensors(extractor, images, kSuperSimpleNetLayers);
}

/// Packed maps to fine features [B, C, h, w] of `type`, channels last in memory.
torch::Tensor unpack_fine(const torch::Tensor& packed, const std::vector<LayerGrid>& grids,
                          LayerAlignment alignment, double scale, torch::ScalarType type) {
  const std::vector<torch::Tensor> maps = unpack_layers(packed.to(torch::kFloat), grids);
  return (fine_features(maps[0], maps[1], alignment) * scale)
      .to(type, false, false, torch::MemoryFormat::ChannelsLast);
}

class SuperSimpleNetDetector : public Detector {
 public:
  SuperSimpleNetDetector(std::shared_ptr<const FeatureExtractor> extractor, SuperSimpleNetwork net,
                         LayerAlignment alignment, double scale)
      : extractor_(std::move(extractor)), net_(std::move(net)), alignment_(alignment), scale_(scale) {
    net_.use_bfloat16(bfloat16());
  }

  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    const torch::InferenceMode inference;
    const std::vector<torch::Tensor> maps = coarse_maps(*extractor_, inputs);
    const std::vector<LayerGrid> grids = grids_of(maps);
    const auto type = bfloat16() ? torch::kBFloat16 : torch::kFloat;
    const SuperSimpleNetwork::Output out =
        net_.heads(net_.adapt(unpack_fine(pack_layers(maps), grids, alignment_, scale_, type)));
    return maps_of(out.map.squeeze(1), out.score);
  }

 private:
  bool bfloat16() const { return extractor_->precision() == Precision::kBFloat16; }

  std::shared_ptr<const FeatureExtractor> extractor_;
  SuperSimpleNetwork net_;
  LayerAlignment alignment_;
  double scale_;
};

/// Network and optimisers of a training.
struct Trainer {
  Trainer(SuperSimpleNetwork network, const SuperSimpleNetOptions& all_options)
      : options(all_options),
        net(std::move(network)),
        adapter(AdamState::of(net.adapter_parameters())),
        heads(AdamState::of(net.head_parameters())) {
    net.require_gradients(true);
  }

  /// One step on fine features [B, C, h, w]; every image is in it twice.
  Readings step(const torch::Tensor& features, double rate_factor, std::uint64_t seed) {
    const SyntheticDefects defects =
        draw_defects(static_cast<int>(2 * features.size(0)), static_cast<int>(features.size(1)),
                     static_cast<int>(features.size(2)), static_cast<int>(features.size(3)),
                     features.scalar_type(), options, seed);
    const torch::Tensor adapted = net.adapt(features);
    const SuperSimpleNetwork::Output out = net.heads(at::cat({adapted, adapted}) + defects.noise, true);
    const SuperSimpleNetLosses losses =
        supersimplenet_losses(out.map, out.score, defects.mask, options.margin, options.focal_exponent);
    losses.total().backward();
    update(adapter, net.adapter_parameters(), options.adapter_learning_rate * rate_factor,
           options.adapter_weight_decay);
    update(heads, net.head_parameters(), options.head_learning_rate * rate_factor, options.head_weight_decay);
    return {{"loss", losses.total().item<double>()},
            {"normal_loss", losses.normal.item<double>()},
            {"anomalous_loss", losses.anomalous.item<double>()},
            {"map_focal_loss", losses.map_focal.item<double>()},
            {"score_focal_loss", losses.score_focal.item<double>()}};
  }

  static void update(AdamState& state, const std::vector<torch::Tensor>& parameters, double learning_rate,
                     double weight_decay) {
    adam_step(state, {learning_rate, weight_decay, /*decoupled=*/true}, parameters,
              take_gradients(parameters));
  }

  SuperSimpleNetOptions options;
  SuperSimpleNetwork net;
  AdamState adapter, heads;
};

class SuperSimpleNet : public Method {
 public:
  std::string_view name() const override { return "supersimplenet"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  /// baseline: as published. The others: short, and the noise relative to the backbone's features.
  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    if (recipe != Recipe::kBaseline) {
      options_.noise_scale = NoiseScale::kRelative;
      options_.batch = kShortBatch;
      options_.meta_epochs = kShortPasses;
      options_.passes = 1;
    }
    RecipeDefaults defaults;
    defaults.input.size = 256;
    defaults.scoring.smoothing_sigma = 4;
    defaults.scoring.image_score = ImageScore::kMethod;
    return defaults;
  }

  MethodNeeds needs() const override { return {.layers = kSuperSimpleNetLayers}; }

  FitResult fit(const FeatureExtractor& extractor, const FitInput& input) const override {
    const Stopwatch watch;
    const bool bf16 = trains_in_bfloat16(input);
    const auto type = bf16 ? torch::kBFloat16 : torch::kFloat;
    const std::vector<torch::Tensor> sample = coarse_maps(extractor, spread_images(input));
    const std::vector<LayerGrid> grids = grids_of(sample);
    const double scale = feature_scale(sample);
    const auto features = training_features(
        "supersimplenet", input,
        [&](const std::vector<RgbImage>& images) { return pack_layers(coarse_maps(extractor, images)); },
        type);
    const double feature_seconds = watch.seconds();

    const auto channels = static_cast<int>(grids[0].channels + grids[1].channels);
    Trainer trainer(input.resume
                        ? SuperSimpleNetwork::from_dict(input.resume->tensors, channels, "resume file")
                        : SuperSimpleNetwork::initial(channels, options_.hidden_dimension, input.seed),
                    options_);
    if (input.resume) {
      trainer.adapter.load(input.resume->tensors, "adam.adapter.", "resume file");
      trainer.heads.load(input.resume->tensors, "adam.heads.", "resume file");
    }
    trainer.net.use_bfloat16(bf16);
    torch::Tensor held_out;
    if (const auto images = tracker_images(input); !images.empty())
      held_out =
          unpack_fine(pack_layers(coarse_maps(extractor, images)), grids, options_.alignment, scale, type)
              .clone();

    const auto weights = [&] {
      TensorDict out = trainer.net.to_dict();
      out[kSuperSimpleNetScale] = to_host(torch::tensor({scale}, torch::kDouble));
      return out;
    };
    const int passes = options_.meta_epochs * options_.passes;
    LoopCallbacks loop;
    loop.train = [&](const LoopStep& at) -> Readings {
      return trainer.step(
          unpack_fine(features.gather(at.images, at.draw), grids, options_.alignment, scale, type),
          learning_rate_share(at.pass, passes, options_.learning_rate_factor),
          derive_seed(input.seed, stream_key("supersimplenet.defects"), at.pass, at.step));
    };
    loop.track = [&](int) -> Readings {
      if (!held_out.defined()) return {};
      const torch::NoGradGuard no_grad;
      const SuperSimpleNetwork& net = trainer.net;
      const SuperSimpleNetwork::Output out = net.heads(net.adapt(held_out));
      return {{"held_out_score", out.score.mean().item<double>()},
              {"held_out_map_max", out.map.flatten(1).amax(1).mean().item<double>()}};
    };
    loop.state = [&] {
      TensorDict state = weights();
      trainer.adapter.save(state, "adam.adapter.");
      trainer.heads.save(state, "adam.heads.");
      return state;
    };
    FitResult result;
    TrainingRecord& record = result.record;
    record.series = training_loop(
        input, {options_.meta_epochs, options_.passes, options_.batch, true, "supersimplenet.order"}, loop);
    result.weights = weights();
    record.readings = {{"loss", "loss"},
                       {"held_out_score", "image logit of held-out good parts"},
                       {"held_out_map_max", "largest map logit of held-out good parts"}};
    record.curves = {{"Losses: all, truncated L1 of normal and of anomalous cells, focal of map and of score",
                      {"loss", "normal_loss", "anomalous_loss", "map_focal_loss", "score_focal_loss"}},
                     {"Logits of held-out good parts: image score, largest of the map (diagnostic only)",
                      {"held_out_score", "held_out_map_max"}}};
    record.figures = {{"length", length_sentence(passes, options_.batch, kPublishedPasses, kPublishedBatch)},
                      {"feature_scale", scale},
                      {"precision", std::string(bf16 ? "bfloat16" : "float32")}};
    record.times = TrainingTimes{feature_seconds, watch.seconds() - feature_seconds};
    return result;
  }

  FitSize fit_size(const BackboneSpec& backbone, std::int64_t, int) const override {
    const std::int64_t weights =
        SuperSimpleNetwork::bytes(backbone.channels(2) + backbone.channels(3), options_.hidden_dimension);
    return {weights, 3 * weights, options_.meta_epochs};
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> extractor, const TensorDict& weights,
                                 const std::string& file) const override {
    const HostTensor& scale = require_tensor(weights, kSuperSimpleNetScale, file);
    const float factor = scale.numel() == 1 && is_floating(scale.dtype) ? to_floats(scale)[0] : 0;
    if (!(factor > 0) || !std::isfinite(factor)) {
      fail(ErrorCode::kBadInput, "{}: tensor '{}' must be one positive number; train it again", file,
           kSuperSimpleNetScale);
    }
    const int channels = extractor->spec().channels(2) + extractor->spec().channels(3);
    return std::make_unique<SuperSimpleNetDetector>(std::move(extractor),
                                                    SuperSimpleNetwork::from_dict(weights, channels, file),
                                                    options_.alignment, factor);
  }

 private:
  double feature_scale(const std::vector<torch::Tensor>& sample) const {
    if (options_.noise_scale == NoiseScale::kAbsolute) return 1;
    return relative_noise_scale(kWideResNetFineSpread,
                                fine_features(sample[0], sample[1], options_.alignment));
  }

  SuperSimpleNetOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_supersimplenet() {
  return std::make_unique<SuperSimpleNet>();
}

}  // namespace glint
