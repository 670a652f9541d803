#include "glint/detect/dfm/dfm.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/dfm/subspace.h"
#include "glint/detect/patch_features.h"
#include "glint/detect/training_loop.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

const std::vector<int> kDfmLayers = {3};
constexpr const char* kDfmMean = "dfm.mean";
constexpr const char* kComponents = "dfm.components";
constexpr const char* kVariances = "dfm.variances";

/// The image score: squared reconstruction error, or likelihood within the subspace.
enum class DfmScore { kReconstruction, kLikelihood };

}  // namespace

template <>
struct EnumNames<DfmScore> {
  static constexpr std::pair<DfmScore, std::string_view> table[] = {
      {DfmScore::kReconstruction, "reconstruction"}, {DfmScore::kLikelihood, "likelihood"}};
};

namespace {

struct DfmOptions {
  int pooling = 4;         ///< side and stride of the average over layer3 (anomalib)
  double variance = 0.97;  ///< share that the components explain (anomalib)
  DfmScore score = DfmScore::kReconstruction;

  void describe(OptionTable& table) {
    table.add("dfm.pooling", pooling, "side and stride of the average over layer3, in cells", {1, 64});
    table.add("dfm.variance", variance, "share of the variance that the components explain",
              {0.01, 0.999999});
    table.add("dfm.score", score, "what the image score is");
  }
};

/// Pooled layer3, [images, C, h, w].
torch::Tensor encode(const FeatureExtractor& extractor, int pooling, const std::vector<RgbImage>& images) {
  const torch::InferenceMode inference;
  const torch::Tensor map = map_tensors(extractor, images, kDfmLayers)[0];
  return at::avg_pool2d(map, pooling, pooling);
}

class DfmDetector : public Detector {
 public:
  DfmDetector(std::shared_ptr<const FeatureExtractor> features, const DfmOptions& options, Subspace subspace)
      : features_(std::move(features)), options_(options), subspace_(std::move(subspace)) {}

  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    const torch::InferenceMode inference;
    const torch::Tensor pooled = encode(*features_, options_.pooling, inputs), vectors = pooled.flatten(1);
    if (vectors.size(1) != subspace_.mean.size(0)) {
      fail(ErrorCode::kBadInput,
           "the model explains vectors of {} features, the input gives {}; train it again",
           subspace_.mean.size(0), vectors.size(1));
    }
    const torch::Tensor squares =
        unexplained(vectors, subspace_).square().reshape_as(pooled).sum(1);  // [b, h, w]
    const torch::Tensor score = options_.score == DfmScore::kReconstruction
                                    ? squares.flatten(1).sum(1)
                                    : subspace_surprise(vectors, subspace_);
    return maps_of(squares, score);
  }

 private:
  std::shared_ptr<const FeatureExtractor> features_;
  DfmOptions options_;
  Subspace subspace_;
};

class Dfm : public Method {
 public:
  std::string_view name() const override { return "dfm"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  RecipeDefaults apply_recipe(Recipe, const BackboneSpec&) override {
    RecipeDefaults defaults;
    defaults.scoring.image_score = ImageScore::kMethod;
    defaults.scoring.smoothing_sigma = 4;
    return defaults;
  }

  MethodNeeds needs() const override {
    return {.layers = kDfmLayers, .training = TrainingKind::kOnePass, .position_bound = true};
  }
  void validate(const BackboneSpec&, const InputOptions& input) const override {
    const ImageSize size = input.input_size();
    const int across = (size.width + 15) / 16, down = (size.height + 15) / 16;  // layer3's map
    if (std::min(across, down) < options_.pooling) {
      fail(ErrorCode::kConfig, "dfm.pooling = {}: the feature map is only {} x {} cells; take a smaller one",
           options_.pooling, across, down);
    }
  }

  FitResult fit(const FeatureExtractor& extractor, const FitInput& input) const override {
    const Stopwatch watch;
    const int samples = input.images * input.draws;
    if (samples < 2) fail(ErrorCode::kBadInput, "dfm needs at least two training images");
    std::vector<torch::Tensor> vectors;
    for_each_batch(input, "computing features", [&](const std::vector<RgbImage>& images) {
      vectors.push_back(encode(extractor, options_.pooling, images).flatten(1));
    });
    const double feature_seconds = watch.seconds();
    const Subspace subspace = fit_subspace(at::cat(vectors), options_.variance);
    FitResult result;
    result.weights = {{kDfmMean, to_host(subspace.mean.to(torch::kFloat))},
                      {kComponents, to_host(subspace.components.to(torch::kFloat).contiguous())},
                      {kVariances, to_host(subspace.variances.to(torch::kFloat))}};
    result.record = one_pass_record(feature_seconds, watch.seconds() - feature_seconds);
    result.record.figures = {{"components", subspace.components.size(0)}};
    return result;
  }

  FitSize fit_size(const BackboneSpec& backbone, std::int64_t images, int input_size) const override {
    const std::int64_t side = input_size / 16 / options_.pooling;
    return {images * side * side * backbone.channels(3) * static_cast<std::int64_t>(sizeof(float)), 0, 0};
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> features, const TensorDict& weights,
                                 const std::string& file) const override {
    const HostTensor& components = require_tensor(weights, kComponents, file);
    if (components.shape.size() != 2)
      fail(ErrorCode::kBadInput, "{}: tensor '{}' must be [components, features]", file, kComponents);
    const HostTensor& mean = require_tensor(weights, kDfmMean, {components.shape[1]}, file);
    const HostTensor& variances = require_tensor(weights, kVariances, {components.shape[0]}, file);
    return std::make_unique<DfmDetector>(
        std::move(features), options_,
        Subspace{to_tensor(mean), to_tensor(components), to_tensor(variances)});
  }

 private:
  DfmOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_dfm() {
  return std::make_unique<Dfm>();
}

}  // namespace glint
