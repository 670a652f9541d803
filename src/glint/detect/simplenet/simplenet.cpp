#include "glint/detect/simplenet/simplenet.h"

#include <torch/types.h>

#include <cmath>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/feature_cache.h"
#include "glint/detect/noise_scale.h"
#include "glint/detect/patch_features.h"
#include "glint/detect/simplenet/embedding.h"
#include "glint/detect/simplenet/folded_head.h"
#include "glint/detect/simplenet/head.h"
#include "glint/detect/simplenet/negatives.h"
#include "glint/detect/training_loop.h"
#include "glint/nn/learning_rate.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr const char* kSimpleNetScale = "simplenet.feature_scale";
constexpr const char* kSnapshotPrefix = "snapshot.";  // of the heads before the last one
constexpr const char* kOptimizerPrefix = "adam.";     // what HeadOptimizer::save writes
constexpr int kEnsembleSnapshots = 20;
const std::vector<int> kSimpleNetLayers = {2, 3};

// Readings that the record and `saturated` refer to.
constexpr const char* kRealAccuracy = "real_margin_accuracy";
constexpr const char* kFakeAccuracy = "fake_margin_accuracy";

PatchEmbedding make_embedding(const BackboneSpec& spec, int dimension) {
  return {spec.channels(2), spec.channels(3), dimension, dimension};
}

class SimpleNetDetector : public Detector {
 public:
  SimpleNetDetector(std::shared_ptr<const FeatureExtractor> features, const std::vector<HeadWeights>& heads,
                    double feature_scale)
      : features_(std::move(features)),
        scorer_(make_embedding(features_->spec(), static_cast<int>(heads.at(0).dimension())), heads,
                feature_scale, features_->precision()) {}

  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    const std::vector<HostBuffer> maps = features_->maps(inputs, kSimpleNetLayers);
    std::vector<PatchScores> out;
    for (std::vector<float>& scores : scorer_.scores(maps[0], maps[1])) {
      ScoreMap map;
      map.height = static_cast<int>(maps[0].shape[2]);
      map.width = static_cast<int>(maps[0].shape[3]);
      map.values = std::move(scores);
      out.push_back({std::move(map), {}});
    }
    return out;
  }

 private:
  std::shared_ptr<const FeatureExtractor> features_;
  FoldedScorer scorer_;
};

/// Embeddings of images; [images, positions, D].
torch::Tensor embed_images(const FeatureExtractor& features, const PatchEmbedding& embedding,
                           const std::vector<RgbImage>& images) {
  const torch::InferenceMode inference;
  const std::vector<torch::Tensor> maps = map_tensors(features, images, kSimpleNetLayers);
  return embedding.embed(maps[0], maps[1])
      .reshape({static_cast<std::int64_t>(images.size()), -1, embedding.dimension()});
}

/// Mean and standard deviation of the discriminator's output on held-out real features and on fakes made from
/// them.
Readings tracker_reading(const HeadWeights& head, const torch::Tensor& held_out, const Negatives& negatives,
                         std::uint64_t seed) {
  if (!held_out.defined()) return {};
  const torch::NoGradGuard no_grad;
  const torch::Tensor q = adapt(head, held_out);
  const torch::Tensor real = discriminate(head, q),
                      fake = discriminate(head, q + negatives.offsets(head, held_out, seed));
  return {{"real_mean", real.mean().item<double>()},
          {"real_std", real.std().item<double>()},
          {"fake_mean", fake.mean().item<double>()},
          {"fake_std", fake.std().item<double>()}};
}

/// Cosine from 1 to `last` over a training of `total` steps (the published code's --cos_lr).
double learning_rate_at(const LoopStep& at, double last) {
  return warm_cosine(at.global, at.total, /*warmup=*/0, 1, last);
}

std::string snapshot_prefix(std::size_t index) {
  return fmt::format("{}{:03}.", kSnapshotPrefix, index);
}

std::vector<HeadWeights> earlier_heads(const TensorDict& tensors, const std::string& file) {
  std::vector<HeadWeights> out;
  for (;;) {
    const TensorDict one = take_prefixed(tensors, snapshot_prefix(out.size()));
    if (one.empty()) return out;
    out.push_back(HeadWeights::from_dict(one, file));
  }
}

TensorDict pack_weights(const HeadWeights& head, const std::vector<HeadWeights>& earlier, double scale) {
  TensorDict out = head.to_dict();
  out[kSimpleNetScale] = to_host(torch::tensor({scale}, torch::kDouble));
  for (std::size_t i = 0; i < earlier.size(); ++i)
    add_prefixed(out, snapshot_prefix(i), earlier[i].to_dict());
  return out;
}

class SimpleNet : public Method {
 public:
  std::string_view name() const override { return "simplenet"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    const bool refined = recipe != Recipe::kBaseline;
    options_.snapshots = recipe == Recipe::kEnsemble ? kEnsembleSnapshots : 1;
    options_.clip_norm = refined ? 1.0 : 0.0;
    RecipeDefaults defaults;
    defaults.mild_augmentation = refined;
    defaults.scoring.smoothing_sigma = refined ? 2 : 4;
    return defaults;
  }

  MethodNeeds needs() const override { return {FeatureKind::kMaps, kSimpleNetLayers}; }

  void validate(const BackboneSpec&, const InputOptions&) const override {
    if (options_.ascent_steps > 0 && options_.distance <= 0) {
      fail(ErrorCode::kConfig,
           "simplenet.ascent_steps needs simplenet.distance, which the steps are measured in; set it to 1, "
           "say");
    }
  }

  FitResult fit(const FeatureExtractor& extractor, const FitInput& input) const override {
    const Stopwatch watch;
    const int dimension = dimension_for(extractor.spec()), hidden = hidden_for(dimension);
    const PatchEmbedding embedding = make_embedding(extractor.spec(), dimension);
    const bool bf16 = trains_in_bfloat16(input);
    const double scale = options_.noise_scale == NoiseScale::kRelative
                             ? relative_noise_scale(kWideResNetSpread,
                                                    embed_images(extractor, embedding, spread_images(input)))
                             : 1.0;
    // Kept without the scale, which belongs to this training's images, so that the folds of cross-fitting
    // share the features of all images.
    const auto features = training_features(
        fmt::format("simplenet/{}", dimension), input,
        [&](const std::vector<RgbImage>& images) { return embed_images(extractor, embedding, images); },
        bf16 ? torch::kBFloat16 : torch::kFloat);
    const double feature_seconds = watch.seconds();

    HeadWeights head = HeadWeights::initial(dimension, hidden, input.seed);
    HeadOptimizer optimizer(options_, head);
    std::vector<HeadWeights> earlier;  // of the last meta-epochs, oldest first, without the current one
    if (input.resume) {
      head = HeadWeights::from_dict(input.resume->tensors, "resume file");
      optimizer.load(input.resume->tensors, "resume file");
      earlier = earlier_heads(input.resume->tensors, "resume file");
    }
    Negatives negatives(options_, reference(extractor, embedding, input, scale), grid(extractor, input));
    torch::Tensor held_out;
    if (const auto images = tracker_images(input); !images.empty())
      held_out = embed_images(extractor, embedding, images).flatten(0, 1) * scale;

    const LossOptions loss{options_.margin, options_.loss, options_.focal_exponent};
    int newest_epoch = input.resume ? input.resume->meta_epoch - 1 : 0;
    LoopCallbacks loop;
    loop.train = [&](const LoopStep& at) -> Readings {
      if (at.meta_epoch > newest_epoch && options_.snapshots > 1) {
        earlier.push_back(head.clone());
        if (std::ssize(earlier) >= options_.snapshots) earlier.erase(earlier.begin());
      }
      newest_epoch = at.meta_epoch;
      const torch::Tensor z = features.gather(at.images, at.draw).flatten(0, 1).mul_(scale);
      if (at.step == 0) negatives.calibrate(head);
      const Fakes fakes =
          negatives.draw(head, z, derive_seed(input.seed, stream_key("simplenet.noise"), at.pass, at.step));
      HeadGradients gradients;
      StepResult step = fast_gradients(head, z, fakes, loss, gradients);
      optimizer.step(head, gradients, step, learning_rate_at(at, options_.final_learning_rate));
      return {{kLoss, step.loss},
              {kRealAccuracy, step.real_margin_accuracy},
              {kFakeAccuracy, step.fake_margin_accuracy},
              {"adapter_grad_norm", step.adapter_grad_norm},
              {"discriminator_grad_norm", step.discriminator_grad_norm}};
    };
    loop.track = [&](int meta_epoch) {
      return tracker_reading(head, held_out, negatives,
                             derive_seed(input.seed, stream_key("simplenet.tracker"), meta_epoch));
    };
    loop.state = [&] {
      TensorDict state = pack_weights(head, earlier, scale);
      optimizer.save(state);
      return state;
    };
    FitResult result;
    TrainingRecord& record = result.record;
    record.series = training_loop(
        input, {options_.meta_epochs, options_.passes, options_.batch, false, "simplenet.order"}, loop);
    result.weights = pack_weights(head, earlier, scale);
    const EpochReading& last = record.series.back();
    record.saturated = last.value(kRealAccuracy) >= kSaturatedShare &&
                       last.value(kFakeAccuracy) >= kSaturatedShare && last.value(kLoss) <= kSaturatedLoss;
    record.readings = {{kLoss, "loss"},
                       {kRealAccuracy, "share of real features past their margin"},
                       {kFakeAccuracy, "share of fake features past their margin"},
                       {"real_mean", "mean output on held-out good features"},
                       {"fake_mean", "mean output on fakes made from them"}};
    record.curves = {
        {options_.loss == DiscriminatorLoss::kHinge ? "Hinge loss" : "Hinge and focal loss", {kLoss}},
        {"Share of features past their margin (both at 1: saturation)", {kRealAccuracy, kFakeAccuracy}},
        {"Tracker: discriminator output on held-out good parts and on fakes made from them "
         "(diagnostic only)",
         {"real_mean", "real_std", "fake_mean", "fake_std"}}};
    record.times = {feature_seconds, watch.seconds() - feature_seconds};
    record.figures = {
        {"feature_scale", scale},
        {"embedding_dimension", std::int64_t{dimension}},
        {"hidden_dimension", std::int64_t{hidden}},
        {"precision", std::string(enum_name(bf16 ? Precision::kBFloat16 : Precision::kFloat32))}};
    if (options_.distance > 0) record.figures["negatives_radius"] = negatives.radius();
    return result;
  }

  FitSize fit_size(const BackboneSpec& backbone, std::int64_t, int) const override {
    const std::int64_t d = dimension_for(backbone), h = hidden_for(static_cast<int>(d));
    const std::int64_t head = static_cast<std::int64_t>(sizeof(float)) * (d * d + d + h * d + 6 * h);
    const std::int64_t weights = head * std::max(1, options_.snapshots);
    return {weights, weights + 2 * head, options_.meta_epochs};
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> features, const TensorDict& weights,
                                 const std::string& file) const override {
    std::vector<HeadWeights> heads = earlier_heads(weights, file);
    heads.push_back(HeadWeights::from_dict(weights, file));
    for (const HeadWeights& head : heads) {
      if (head.dimension() != heads[0].dimension())
        fail(ErrorCode::kBadInput, "{}: heads of different dimensions", file);
    }
    const HostTensor& scale = require_tensor(weights, kSimpleNetScale, file);
    const float factor = scale.numel() == 1 && is_floating(scale.dtype) ? to_floats(scale)[0] : 0;
    if (!(factor > 0) || !std::isfinite(factor))
      fail(ErrorCode::kBadInput, "{}: tensor '{}' must be one positive number", file, kSimpleNetScale);
    return std::make_unique<SimpleNetDetector>(std::move(features), heads, factor);
  }

 private:
  /// What Negatives measures distances on, as far as the options ask for it.
  torch::Tensor reference(const FeatureExtractor& extractor, const PatchEmbedding& embedding,
                          const FitInput& input, double scale) const {
    if (options_.distance <= 0) return {};
    return embed_images(extractor, embedding, spread_images(input)) * scale;
  }
  FeatureGrid grid(const FeatureExtractor& extractor, const FitInput& input) const {
    if (options_.noise_mask == NoiseMask::kEverywhere) return {};
    const torch::Tensor map = map_tensors(extractor, {input.image(0, 0)}, kSimpleNetLayers)[0];
    return {static_cast<int>(map.size(2)), static_cast<int>(map.size(3))};
  }

  int dimension_for(const BackboneSpec& backbone) const {
    // As published: both layers' channels, 1536 for WideResNet-50-2.
    return options_.embedding_dimension > 0 ? options_.embedding_dimension
                                            : backbone.channels(2) + backbone.channels(3);
  }
  int hidden_for(int dimension) const {
    return options_.hidden_dimension > 0 ? options_.hidden_dimension : dimension * 2 / 3;
  }

  SimpleNetOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_simplenet() {
  return std::make_unique<SimpleNet>();
}

}  // namespace glint
