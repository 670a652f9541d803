#include "glint/detect/fastflow/fastflow.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/fastflow/network.h"
#include "glint/detect/feature_cache.h"
#include "glint/detect/patch_features.h"
#include "glint/detect/training_loop.h"
#include "glint/nn/adam.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr int kFastFlowPublishedPasses = 500, kFastFlowPublishedBatch = 32;
/// The short recipe: for less than 30 minutes on two cores with 320 images and ResNet-18 (docs/recipes.md).
constexpr int kFastFlowShortPasses = 50, kFastFlowShortBatch = 8;

const std::vector<int> kFastFlowLayers = {1, 2, 3};

std::vector<int> fastflow_channels(const BackboneSpec& spec) {
  std::vector<int> out;
  for (const int layer : kFastFlowLayers) out.push_back(spec.channels(layer));
  return out;
}

std::vector<torch::Tensor> fastflow_maps(const FeatureExtractor& extractor,
                                         const std::vector<RgbImage>& images) {
  const torch::InferenceMode inference;
  return map_tensors(extractor, images, kFastFlowLayers);
}

class FastFlowDetector : public Detector {
 public:
  FastFlowDetector(std::shared_ptr<const FeatureExtractor> extractor, FastFlowNetwork net)
      : extractor_(std::move(extractor)), net_(std::move(net)) {
    net_.use_bfloat16(extractor_->precision() == Precision::kBFloat16);
  }

  /// On layer1's grid.
  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    const torch::InferenceMode inference;
    const std::vector<FlowOutput> scales = net_.run(fastflow_maps(*extractor_, inputs));
    return maps_of(fastflow_map(scales, net_.scales()[0].height, net_.scales()[0].width));
  }

 private:
  std::shared_ptr<const FeatureExtractor> extractor_;
  FastFlowNetwork net_;
};

class FastFlow : public Method {
 public:
  std::string_view name() const override { return "fastflow"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  /// baseline: as published. The others: short.
  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec& backbone) override {
    options_.kernels = backbone.bottleneck ? FlowKernels::kAlternate : FlowKernels::kAll3x3;
    if (recipe != Recipe::kBaseline) {
      options_.batch = kFastFlowShortBatch;
      options_.meta_epochs = kFastFlowShortPasses;
      options_.passes = 1;
    }
    RecipeDefaults defaults;
    defaults.input.size = 256;
    defaults.scoring.smoothing_sigma = 0;
    return defaults;
  }

  /// Bound to the position: the layer norms scale and shift every place on its own.
  MethodNeeds needs() const override { return {.layers = kFastFlowLayers, .position_bound = true}; }

  FitResult fit(const FeatureExtractor& extractor, const FitInput& input) const override {
    const Stopwatch watch;
    const bool bf16 = trains_in_bfloat16(input);
    const std::vector<LayerGrid> grids = grids_of(fastflow_maps(extractor, {input.image(0, 0)}));
    const auto features = training_features(
        "maps 1 2 3", input,
        [&](const std::vector<RgbImage>& images) { return pack_layers(fastflow_maps(extractor, images)); },
        bf16 ? torch::kBFloat16 : torch::kFloat);
    const double feature_seconds = watch.seconds();

    FastFlowNetwork net =
        input.resume ? FastFlowNetwork::from_dict(input.resume->tensors, fastflow_channels(extractor.spec()),
                                                  options_, "resume file")
                     : FastFlowNetwork::initial(grids, options_, input.seed);
    const std::vector<torch::Tensor> parameters = net.parameters();
    AdamState adam = AdamState::of(parameters);
    if (input.resume) adam.load(input.resume->tensors, kOptimizerPrefix, "resume file");
    net.require_gradients(true);
    net.use_bfloat16(bf16);
    std::vector<torch::Tensor> held_out;
    if (const auto images = tracker_images(input); !images.empty()) {
      for (const torch::Tensor& map : fastflow_maps(extractor, images)) held_out.push_back(map.clone());
    }

    // The loss is shown per value of the features, so that runs of any size compare.
    const auto values = static_cast<double>(features.width());
    LoopCallbacks loop;
    loop.train = [&](const LoopStep& at) -> Readings {
      const torch::Tensor loss =
          fastflow_loss(net.run(unpack_layers(features.gather(at.images, at.draw).to(torch::kFloat), grids)));
      loss.backward();
      adam_step(adam, {options_.learning_rate, options_.weight_decay}, parameters,
                take_gradients(parameters));
      return {{kLoss, loss.item<double>() / values}};
    };
    loop.track = [&](int) -> Readings {
      if (held_out.empty()) return {};
      const torch::NoGradGuard no_grad;
      const std::vector<FlowOutput> scales = net.run(held_out);
      const torch::Tensor map = fastflow_map(scales, grids[0].height, grids[0].width);
      return {{"held_out_loss", fastflow_loss(scales).item<double>() / values},
              {"held_out_map_max", map.flatten(1).amax(1).mean().item<double>()}};
    };
    loop.state = [&] {
      TensorDict state = net.to_dict();
      adam.save(state, kOptimizerPrefix);
      return state;
    };
    FitResult result;
    TrainingRecord& record = result.record;
    record.series = training_loop(
        input, {options_.meta_epochs, options_.passes, options_.batch, true, "fastflow.order"}, loop);
    result.weights = net.to_dict();
    record.readings = {{kLoss, "negative log-likelihood per feature value"},
                       {"held_out_loss", "the same of held-out good parts"},
                       {"held_out_map_max", "largest map score of held-out good parts"}};
    record.curves = {
        {"Negative log-likelihood per feature value (nats, constant left out): training, held-out good parts",
         {kLoss, "held_out_loss"}},
        {"Largest map score of held-out good parts (diagnostic only)", {"held_out_map_max"}}};
    record.figures = {{"length", length_sentence(options_.meta_epochs * options_.passes, options_.batch,
                                                 kFastFlowPublishedPasses, kFastFlowPublishedBatch)},
                      {"precision", std::string(bf16 ? "bfloat16" : "float32")}};
    record.times = TrainingTimes{feature_seconds, watch.seconds() - feature_seconds};
    return result;
  }

  FitSize fit_size(const BackboneSpec& backbone, std::int64_t, int input_size) const override {
    FastFlowNetwork::Shapes scales;
    for (const int layer : kFastFlowLayers) {
      const std::int64_t side = std::max(1, input_size >> (layer + 1));  // strides 4, 8, 16
      scales.push_back({backbone.channels(layer), side, side});
    }
    const std::int64_t weights = FastFlowNetwork::bytes(scales, options_);
    return {weights, 3 * weights, options_.meta_epochs};
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> extractor, const TensorDict& weights,
                                 const std::string& file) const override {
    FastFlowNetwork net =
        FastFlowNetwork::from_dict(weights, fastflow_channels(extractor->spec()), options_, file);
    return std::make_unique<FastFlowDetector>(std::move(extractor), std::move(net));
  }

 private:
  FastFlowOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_fastflow() {
  return std::make_unique<FastFlow>();
}

}  // namespace glint
