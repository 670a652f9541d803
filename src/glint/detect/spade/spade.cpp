#include "glint/detect/spade/spade.h"

#include <ATen/ATen.h>

#include <array>

#include "glint/base/error.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/patch_features.h"
#include "glint/detect/spade/gallery.h"
#include "glint/detect/training_loop.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr const char* kVectors = "spade.vectors";
const std::vector<int> kSpadeLayers = {1, 2, 3};
constexpr const char* kLayerTensors[3] = {"spade.layer1", "spade.layer2", "spade.layer3"};

struct SpadeOptions {
  int neighbours = 5;  ///< images; the common re-implementation (the paper: 50)

  void describe(OptionTable& table) {
    table.add("spade.neighbours", neighbours, "nearest good images", {1, 1000});
  }
};

SpadeFeatures encode(const FeatureExtractor& extractor, const std::vector<RgbImage>& images) {
  const torch::InferenceMode inference;
  const std::vector<torch::Tensor> maps = map_tensors(extractor, images, kSpadeLayers);
  return {maps[2].mean({2, 3}), {maps[0], maps[1], maps[2]}};
}

class SpadeDetector : public Detector {
 public:
  SpadeDetector(std::shared_ptr<const FeatureExtractor> features, const SpadeOptions& options,
                SpadeFeatures gallery)
      : features_(std::move(features)), options_(options), gallery_(std::move(gallery)) {}

  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    const torch::InferenceMode inference;
    std::vector<PatchScores> out;
    for (const RgbImage& input : inputs) {
      const SpadeFeatures one = encode(*features_, {input});
      for (std::size_t l = 0; l < one.layers.size(); ++l) {
        if (one.layers[l].sizes() != gallery_.layers[l].slice(0, 0, 1).sizes())
          fail(ErrorCode::kBadInput, "the model's gallery is of another input size; train it again");
      }
      const NearestImages nearest = nearest_images(one.vector, gallery_.vector, options_.neighbours);
      const torch::Tensor map = mean_of_layers(gallery_distances(one, gallery_, nearest.index),
                                               one.layers[0].size(2), one.layers[0].size(3));
      out.push_back(maps_of(map.unsqueeze(0), nearest.distance.mean().reshape({1}))[0]);
    }
    return out;
  }

 private:
  std::shared_ptr<const FeatureExtractor> features_;
  SpadeOptions options_;
  SpadeFeatures gallery_;
};

class Spade : public Method {
 public:
  std::string_view name() const override { return "spade"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    RecipeDefaults defaults;
    defaults.scoring.image_score = ImageScore::kMethod;
    defaults.scoring.smoothing_sigma = 4;
    if (recipe == Recipe::kBaseline) defaults.input = InputOptions{Framing::kCentreCrop, 224, 256};
    return defaults;
  }

  MethodNeeds needs() const override { return {.layers = kSpadeLayers, .training = TrainingKind::kOnePass}; }

  FitResult fit(const FeatureExtractor& extractor, const FitInput& input) const override {
    const Stopwatch watch;
    const int samples = input.images * input.draws;
    std::vector<torch::Tensor> vectors;
    std::array<std::vector<torch::Tensor>, 3> layers;
    for_each_batch(input, "computing features", [&](const std::vector<RgbImage>& images) {
      const SpadeFeatures part = encode(extractor, images);
      vectors.push_back(part.vector);
      // Half the memory; the distances that count are thousands of times larger than what is rounded away.
      for (std::size_t l = 0; l < 3; ++l) layers[l].push_back(part.layers[l].to(torch::kBFloat16));
    });
    FitResult result;
    result.weights[kVectors] = to_host(at::cat(vectors));
    for (std::size_t l = 0; l < 3; ++l)
      result.weights[kLayerTensors[l]] = to_host(at::cat(layers[l]).contiguous());
    result.record = one_pass_record(watch.seconds(), 0);
    result.record.figures = {{"gallery_images", std::int64_t{samples}}};
    return result;
  }

  FitSize fit_size(const BackboneSpec& backbone, std::int64_t images, int input_size) const override {
    std::int64_t values = 0;
    for (int layer = 1; layer <= 3; ++layer) {
      const std::int64_t side = input_size / (2 << layer);
      values += side * side * backbone.channels(layer);
    }
    return {images * values * 2, 0, 0};  // bfloat16
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> features, const TensorDict& weights,
                                 const std::string& file) const override {
    const HostTensor& vectors = require_tensor(weights, kVectors, file);
    if (vectors.shape.size() != 2 || vectors.shape[0] < 1)
      fail(ErrorCode::kBadInput, "{}: tensor '{}' must be [images, features]", file, kVectors);
    SpadeFeatures gallery{to_tensor(vectors), {}};
    for (int l = 0; l < 3; ++l) {
      const HostTensor& layer = require_tensor(weights, kLayerTensors[l], file);
      if (layer.shape.size() != 4 || layer.shape[0] != vectors.shape[0] ||
          layer.shape[1] != features->spec().channels(l + 1)) {
        fail(ErrorCode::kBadInput, "{}: tensor '{}' must be [{}, {}, height, width]", file, kLayerTensors[l],
             vectors.shape[0], features->spec().channels(l + 1));
      }
      gallery.layers[static_cast<std::size_t>(l)] = to_tensor(layer);
    }
    return std::make_unique<SpadeDetector>(std::move(features), options_, std::move(gallery));
  }

 private:
  SpadeOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_spade() {
  return std::make_unique<Spade>();
}

}  // namespace glint
