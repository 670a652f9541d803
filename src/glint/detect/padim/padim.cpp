#include "glint/detect/padim/padim.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/padim/gaussians.h"
#include "glint/detect/patch_features.h"
#include "glint/detect/training_loop.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr const char* kChannels = "padim.channels";
const std::vector<int> kPadimLayers = {1, 2, 3};
constexpr const char* kPadimMean = "padim.mean";
constexpr const char* kWhitening = "padim.whitening";

struct PadimOptions {
  int channels = 100;  ///< drawn from the joined ones: 100 of 448 with ResNet-18 (published), 550 of 1792
                       ///< with WideResNet-50-2
  double regularisation = 0.01;  ///< on the covariance's diagonal (published)

  void describe(OptionTable& table) {
    table.add("padim.channels", channels, "channels drawn from layer1 to layer3", {1, 4096});
    table.add("padim.regularisation", regularisation, "added to the covariance's diagonal", {1e-9, 1e3});
  }
};

struct Features {
  torch::Tensor values;  ///< [images, positions, channels] float32
  int height = 0, width = 0;
};

/// Layers 1 to 3 on layer1's grid, only the drawn channels.
Features encode(const FeatureExtractor& extractor, const torch::Tensor& channels,
                const std::vector<RgbImage>& images) {
  const torch::InferenceMode inference;
  const torch::Tensor joined = join_maps(map_tensors(extractor, images, kPadimLayers), Alignment::kNearest);
  return {positions_of(joined.index_select(1, channels)), static_cast<int>(joined.size(2)),
          static_cast<int>(joined.size(3))};
}

class PadimDetector : public Detector {
 public:
  PadimDetector(std::shared_ptr<const FeatureExtractor> features, torch::Tensor channels,
                PositionGaussians gaussians)
      : features_(std::move(features)), channels_(std::move(channels)), gaussians_(std::move(gaussians)) {}

  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    const torch::InferenceMode inference;
    const Features features = encode(*features_, channels_, inputs);
    if (features.values.size(1) != gaussians_.mean.size(0)) {
      fail(ErrorCode::kBadInput, "the model has Gaussians for {} positions, the input has {}; train it again",
           gaussians_.mean.size(0), features.values.size(1));
    }
    return maps_of(mahalanobis(features.values, gaussians_), features.height, features.width);
  }

 private:
  std::shared_ptr<const FeatureExtractor> features_;
  torch::Tensor channels_;
  PositionGaussians gaussians_;
};

class Padim : public Method {
 public:
  std::string_view name() const override { return "padim"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec& backbone) override {
    options_.channels = backbone.bottleneck ? 550 : 100;
    RecipeDefaults defaults;
    defaults.scoring.smoothing_sigma = 4;
    if (recipe == Recipe::kBaseline) defaults.input = InputOptions{Framing::kCentreCrop, 224, 256};
    return defaults;
  }

  MethodNeeds needs() const override {
    return {.layers = kPadimLayers, .training = TrainingKind::kOnePass, .position_bound = true};
  }

  FitResult fit(const FeatureExtractor& extractor, const FitInput& input) const override {
    const Stopwatch watch;
    const BackboneSpec& spec = extractor.spec();
    const int all = spec.channels(1) + spec.channels(2) + spec.channels(3);
    std::vector<int> drawn = permutation(all, Rng(input.seed, "padim.channels"));
    drawn.resize(static_cast<std::size_t>(std::min(options_.channels, all)));
    std::sort(drawn.begin(), drawn.end());
    const torch::Tensor channels = torch::tensor(std::vector<std::int64_t>(drawn.begin(), drawn.end()));

    const int samples = input.images * input.draws;
    if (samples < 2) fail(ErrorCode::kBadInput, "padim needs at least two training images");
    std::optional<GaussianSums> sums;
    for_each_batch(input, "collecting Gaussians", [&](const std::vector<RgbImage>& images) {
      const Features features = encode(extractor, channels, images);
      if (!sums) sums.emplace(features.values.size(1), features.values.size(2));
      sums->add(features.values);
    });
    const PositionGaussians gaussians = sums->finish(options_.regularisation, torch::kFloat);
    FitResult result;
    result.weights = {{kChannels, to_host(channels)},
                      {kPadimMean, to_host(gaussians.mean)},
                      {kWhitening, to_host(gaussians.triangles)}};
    result.record = one_pass_record(watch.seconds(), 0);
    result.record.figures = {{"positions", gaussians.mean.size(0)}};
    return result;
  }

  FitSize fit_size(const BackboneSpec&, std::int64_t, int input_size) const override {
    const std::int64_t side = input_size / 4, d = options_.channels;  // layer1's grid
    return {side * side * (d + d * (d + 1) / 2) * static_cast<std::int64_t>(sizeof(float)), 0, 0};
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> features, const TensorDict& weights,
                                 const std::string& file) const override {
    const HostTensor& channels = require_tensor(weights, kChannels, file);
    const HostTensor& mean = require_tensor(weights, kPadimMean, file);
    const BackboneSpec& spec = features->spec();
    if (channels.dtype != DType::kI64 || channels.shape.size() != 1 || mean.shape.size() != 2 ||
        mean.shape[1] != channels.shape[0]) {
      fail(ErrorCode::kBadInput, "{}: '{}' and '{}' do not belong together", file, kChannels, kPadimMean);
    }
    const std::int64_t d = channels.shape[0];
    const HostTensor& packed = require_tensor(weights, kWhitening, {mean.shape[0], d * (d + 1) / 2}, file);
    const torch::Tensor index = to_tensor(channels);
    const int all = spec.channels(1) + spec.channels(2) + spec.channels(3);
    if (d == 0 || index.min().item<std::int64_t>() < 0 || index.max().item<std::int64_t>() >= all)
      fail(ErrorCode::kBadInput, "{}: '{}' names channels that {} lacks", file, kChannels, spec.name);
    return std::make_unique<PadimDetector>(
        std::move(features), index,
        PositionGaussians{to_tensor(mean).to(torch::kFloat), to_tensor(packed).to(torch::kFloat)});
  }

 private:
  PadimOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_padim() {
  return std::make_unique<Padim>();
}

}  // namespace glint
