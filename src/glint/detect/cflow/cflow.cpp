#include "glint/detect/cflow/cflow.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/cflow/network.h"
#include "glint/detect/feature_cache.h"
#include "glint/detect/patch_features.h"
#include "glint/detect/training_loop.h"
#include "glint/nn/adam.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr const char* kCflowPeaks = "cflow.peaks";
constexpr int kCflowPublishedPasses = 200, kCflowPublishedBatch = 32;
/// The short recipe, per meta-epoch: for less than 30 minutes on two cores with 320 images and ResNet-18
/// (docs/recipes.md).
constexpr int kCflowShortPasses = 2;
/// Of the training photographs: what the peaks are measured on. Chosen here.
constexpr double kCflowNormalisationShare = 0.1;

/// Published: layer2 to layer4; a backbone here ends with layer3.
const std::vector<int> kCflowLayers = {2, 3};

std::vector<int> cflow_channels(const BackboneSpec& spec) {
  std::vector<int> out;
  for (const int layer : kCflowLayers) out.push_back(spec.channels(layer));
  return out;
}

std::vector<torch::Tensor> cflow_maps(const FeatureExtractor& extractor,
                                      const std::vector<RgbImage>& images) {
  const torch::InferenceMode inference;
  return map_tensors(extractor, images, kCflowLayers);
}

class CflowDetector : public Detector {
 public:
  CflowDetector(std::shared_ptr<const FeatureExtractor> extractor, CflowNetwork net, std::vector<float> peaks)
      : extractor_(std::move(extractor)), net_(std::move(net)), peaks_(std::move(peaks)) {
    net_.use_bfloat16(extractor_->precision() == Precision::kBFloat16);
  }

  /// On layer2's grid.
  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    const torch::InferenceMode inference;
    const std::vector<torch::Tensor> values = net_.likelihoods(cflow_maps(*extractor_, inputs));
    return maps_of(cflow_map(values, peaks_, values[0].size(1), values[0].size(2)));
  }

 private:
  std::shared_ptr<const FeatureExtractor> extractor_;
  CflowNetwork net_;
  std::vector<float> peaks_;
};

/// Network and optimisers of a training: each flow has its own Adam, since each step moves one flow.
struct CflowTrainer {
  CflowTrainer(CflowNetwork network, const CflowOptions& all_options)
      : options(all_options), net(std::move(network)) {
    for (std::size_t i = 0; i < net.layers(); ++i) adam.push_back(AdamState::of(net.parameters(i)));
    net.require_gradients(true);
  }

  static std::string optimizer_name(std::size_t layer) {
    return fmt::format("{}flow{}.", kOptimizerPrefix, layer);
  }

  /// All vectors of maps [B, C, h, w] in random order, `fibre` of them per step; an incomplete rest is left
  /// out. Returns the mean loss of the steps.
  double train(std::size_t layer, const torch::Tensor& maps, double learning_rate, std::uint64_t seed) {
    const torch::Tensor vectors = positions_of(maps).flatten(0, 1);
    const torch::Tensor codes =
        positions_of(position_code(options.condition, maps.size(2), maps.size(3)).unsqueeze(0))[0];
    const std::vector<int> drawn = permutation(static_cast<int>(vectors.size(0)), Rng(seed));
    const torch::Tensor order = torch::tensor(std::vector<std::int64_t>(drawn.begin(), drawn.end()));
    const std::int64_t fibre = std::min<std::int64_t>(options.fibre, vectors.size(0));
    const std::int64_t steps = vectors.size(0) / fibre;
    const std::vector<torch::Tensor> parameters = net.parameters(layer);
    double sum = 0;
    for (std::int64_t step = 0; step < steps; ++step) {
      const torch::Tensor rows = order.narrow(0, step * fibre, fibre);
      const FlowOutput flow =
          net.run(layer, vectors.index_select(0, rows), codes.index_select(0, rows.remainder(codes.size(0))));
      const torch::Tensor loss = cflow_loss(log_likelihood(flow) / static_cast<double>(vectors.size(1)));
      loss.backward();
      adam_step(adam[layer], {learning_rate}, parameters, take_gradients(parameters));
      sum += loss.item<double>();
    }
    return sum / static_cast<double>(steps);
  }

  /// Largest likelihood per layer of maps of good parts, [B, C, h, w] each.
  std::vector<float> peaks(const std::vector<std::vector<torch::Tensor>>& batches) const {
    const torch::NoGradGuard no_grad;
    std::vector<float> out(net.layers(), -INFINITY);
    for (const std::vector<torch::Tensor>& maps : batches) {
      const std::vector<torch::Tensor> values = net.likelihoods(maps);
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = std::max(out[i], values[i].max().item<float>());
    }
    return out;
  }

  CflowOptions options;
  CflowNetwork net;
  std::vector<AdamState> adam;
};

class Cflow : public Method {
 public:
  std::string_view name() const override { return "cflow"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  /// baseline: as published. The others: short.
  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    if (recipe != Recipe::kBaseline) options_.passes = kCflowShortPasses;
    RecipeDefaults defaults;
    defaults.input.size = 256;
    defaults.scoring.smoothing_sigma = 0;
    defaults.scoring.upsampling = Upsampling::kAlignedCorners;
    return defaults;
  }

  MethodNeeds needs() const override {
    return {.layers = kCflowLayers, .position_bound = true, .normalisation_share = kCflowNormalisationShare};
  }

  void validate(const BackboneSpec&, const InputOptions&) const override {
    if (options_.condition % 4 != 0) {
      fail(ErrorCode::kConfig,
           "cflow.condition = {} must be a multiple of 4: sine and cosine along both axes",
           options_.condition);
    }
  }

  FitResult fit(const FeatureExtractor& extractor, const FitInput& input) const override {
    const Stopwatch watch;
    const bool bf16 = trains_in_bfloat16(input);
    const std::vector<LayerGrid> grids = grids_of(cflow_maps(extractor, {input.image(0, 0)}));
    const auto features = training_features(
        "maps 2 3", input,
        [&](const std::vector<RgbImage>& images) { return pack_layers(cflow_maps(extractor, images)); },
        bf16 ? torch::kBFloat16 : torch::kFloat);
    const std::vector<std::vector<torch::Tensor>> normalisation =
        maps_in_batches(extractor, input.normalisation);
    const std::vector<std::vector<torch::Tensor>> held_out =
        maps_in_batches(extractor, tracker_images(input));
    const double feature_seconds = watch.seconds();

    const std::vector<int> channels = cflow_channels(extractor.spec());
    CflowTrainer trainer(
        input.resume ? CflowNetwork::from_dict(input.resume->tensors, channels, options_, "resume file")
                     : CflowNetwork::initial(channels, options_, input.seed),
        options_);
    const std::size_t layers = trainer.net.layers();
    if (input.resume) {
      for (std::size_t i = 0; i < layers; ++i)
        trainer.adam[i].load(input.resume->tensors, CflowTrainer::optimizer_name(i), "resume file");
    }
    trainer.net.use_bfloat16(bf16);

    const auto weights = [&] {
      TensorDict out = trainer.net.to_dict();
      out[kCflowPeaks] = from_floats(trainer.peaks(normalisation), {static_cast<std::int64_t>(layers)});
      return out;
    };
    LoopCallbacks loop;
    loop.train = [&](const LoopStep& at) -> Readings {
      const auto steps = static_cast<double>(at.total) / options_.meta_epochs;
      const double rate = cflow_learning_rate(options_.learning_rate, at.meta_epoch, options_.meta_epochs,
                                              static_cast<double>(at.global) / steps - at.meta_epoch);
      const std::vector<torch::Tensor> maps =
          unpack_layers(features.gather(at.images, at.draw).to(torch::kFloat), grids);
      double sum = 0;
      for (std::size_t i = 0; i < layers; ++i) {
        sum += trainer.train(i, maps[i], rate,
                             derive_seed(input.seed, stream_key("cflow.fibres"), at.pass, at.step, i));
      }
      return {{kLoss, sum / static_cast<double>(layers)}};
    };
    loop.track = [&](int) -> Readings {
      if (held_out.empty()) return {};
      const torch::NoGradGuard no_grad;
      double sum = 0;
      for (const torch::Tensor& values : trainer.net.likelihoods(held_out[0]))
        sum += cflow_loss(values).item<double>();
      return {{"held_out_loss", sum / static_cast<double>(layers)}};
    };
    TensorDict last;
    loop.state = [&] {
      last = weights();
      TensorDict state = last;
      for (std::size_t i = 0; i < layers; ++i) trainer.adam[i].save(state, CflowTrainer::optimizer_name(i));
      return state;
    };
    FitResult result;
    TrainingRecord& record = result.record;
    record.series = training_loop(
        input, {options_.meta_epochs, options_.passes, options_.batch, true, "cflow.order"}, loop);
    result.weights = last.empty() ? weights() : std::move(last);
    record.readings = {{kLoss, "mean of -ln sigmoid(log-likelihood per channel)"},
                       {"held_out_loss", "the same of held-out good parts"}};
    record.curves = {{"Mean of -ln sigmoid(log-likelihood per channel): training, held-out good parts",
                      {kLoss, "held_out_loss"}}};
    record.figures = {{"length", length_sentence(options_.meta_epochs * options_.passes, options_.batch,
                                                 kCflowPublishedPasses, kCflowPublishedBatch)},
                      {"normalisation_images", static_cast<std::int64_t>(input.normalisation.size())},
                      {"precision", std::string(bf16 ? "bfloat16" : "float32")}};
    record.times = TrainingTimes{feature_seconds, watch.seconds() - feature_seconds};
    return result;
  }

  FitSize fit_size(const BackboneSpec& backbone, std::int64_t, int) const override {
    const std::int64_t weights = CflowNetwork::bytes(cflow_channels(backbone), options_);
    return {weights, 3 * weights, options_.meta_epochs};
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> extractor, const TensorDict& weights,
                                 const std::string& file) const override {
    const std::vector<int> channels = cflow_channels(extractor->spec());
    const HostTensor& peaks =
        require_tensor(weights, kCflowPeaks, {static_cast<std::int64_t>(channels.size())}, file);
    if (!is_floating(peaks.dtype) || !all_finite(peaks)) {
      fail(ErrorCode::kBadInput, "{}: tensor '{}' must hold a finite number per layer; train it again", file,
           kCflowPeaks);
    }
    CflowNetwork net = CflowNetwork::from_dict(weights, channels, options_, file);
    return std::make_unique<CflowDetector>(std::move(extractor), std::move(net), to_floats(peaks));
  }

 private:
  static std::vector<std::vector<torch::Tensor>> maps_in_batches(const FeatureExtractor& extractor,
                                                                 const std::vector<RgbImage>& images) {
    constexpr std::ptrdiff_t kImagesAtOnce = 8;
    std::vector<std::vector<torch::Tensor>> out;
    for (std::ptrdiff_t first = 0; first < std::ssize(images); first += kImagesAtOnce) {
      const auto begin = images.begin() + first;
      const auto end = begin + std::min(kImagesAtOnce, images.end() - begin);
      // Clones: what inference mode made may not meet a training's tensors.
      std::vector<torch::Tensor> maps;
      for (const torch::Tensor& map : cflow_maps(extractor, {begin, end})) maps.push_back(map.clone());
      out.push_back(std::move(maps));
    }
    return out;
  }

  CflowOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_cflow() {
  return std::make_unique<Cflow>();
}

}  // namespace glint
