#include "glint/detect/patchcore/patchcore.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/feature_cache.h"
#include "glint/detect/patch_features.h"
#include "glint/detect/patchcore/coreset.h"
#include "glint/detect/patchcore/density.h"
#include "glint/detect/patchcore/options.h"
#include "glint/detect/patchcore/reweighting.h"
#include "glint/detect/simplenet/embedding.h"
#include "glint/detect/training_loop.h"
#include "glint/nn/nearest.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr const char* kBank = "patchcore.bank";
constexpr const char* kUnits = "patchcore.density_units";
const std::vector<int> kPatchCoreLayers = {2, 3};

/// 1024 for WideResNet-50-2; a smaller network's neighbourhoods are not stretched.
int published_dimension(const BackboneSpec& backbone) {
  constexpr int kPublished = 1024;
  return std::min(kPublished, backbone.channels(2) * 8);
}

/// Patch features of prepared images, [images, positions, D] float32 on the CPU, and their grid.
class PatchcoreFeatures {
 public:
  PatchcoreFeatures(const BackboneSpec& backbone, PatchcoreEmbedding kind) {
    if (kind == PatchcoreEmbedding::kPublished) {
      const int dimension = published_dimension(backbone);
      published_.emplace(backbone.channels(2), backbone.channels(3), dimension, dimension);
    }
  }

  struct Grid {
    torch::Tensor features;
    int height = 0, width = 0;
  };
  Grid operator()(const FeatureExtractor& features, const std::vector<RgbImage>& images) const {
    const torch::InferenceMode inference;
    const std::vector<torch::Tensor> maps = map_tensors(features, images, kPatchCoreLayers);
    const auto h = static_cast<int>(maps[0].size(2)), w = static_cast<int>(maps[0].size(3));
    if (published_) {
      return {published_->embed(maps[0], maps[1]).reshape({std::ssize(images), -1, published_->dimension()}),
              h, w};
    }
    return {mean_patches(maps[0], maps[1]), h, w};
  }

 private:
  std::optional<PatchEmbedding> published_;
};

class PatchcoreDetector : public Detector {
 public:
  PatchcoreDetector(std::shared_ptr<const FeatureExtractor> features, const PatchcoreOptions& options,
                    torch::Tensor bank, torch::Tensor units)
      : features_(std::move(features)),
        encode_(features_->spec(), options.embedding),
        options_(options),
        bank_(std::move(bank)),
        units_(std::move(units)) {}

  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    const torch::InferenceMode inference;
    const PatchcoreFeatures::Grid grid = encode_(*features_, inputs);
    const std::int64_t k = std::min<std::int64_t>(options_.neighbours, bank_.size());
    const NearestResult nearest = bank_.search(grid.features.flatten(0, 1), k);
    const torch::Tensor distance =
        options_.distance == PatchcoreDistance::kSquared ? nearest.distance.square() : nearest.distance;
    torch::Tensor mean = distance.mean(1);
    if (units_.defined()) mean = mean / units_.index_select(0, nearest.index.select(1, 0));
    const torch::Tensor scores = mean.reshape({std::ssize(inputs), -1});
    auto out = maps_of(scores, grid.height, grid.width);
    if (options_.reweighting == 0) return out;
    for (std::int64_t b = 0; b < std::ssize(out); ++b) {
      const std::int64_t patch = scores[b].argmax().item<std::int64_t>();
      out[static_cast<std::size_t>(b)].image = static_cast<float>(reweighted_score(
          grid.features[b][patch], nearest.index[b * scores.size(1) + patch][0].item<std::int64_t>(), bank_,
          options_.reweighting));
    }
    return out;
  }

 private:
  std::shared_ptr<const FeatureExtractor> features_;
  PatchcoreFeatures encode_;
  PatchcoreOptions options_;
  NearestRows bank_;
  torch::Tensor units_;  ///< of density_units; undefined = distances as they are
};

/// Every (image, position) of the training images, thinned out evenly to at most `most`.
std::vector<std::pair<int, std::int64_t>> pool_of(int images, std::int64_t positions, std::int64_t most) {
  const std::int64_t all = images * positions, keep = std::min(all, most);
  std::vector<std::pair<int, std::int64_t>> out;
  out.reserve(static_cast<std::size_t>(keep));
  for (std::int64_t i = 0; i < keep; ++i) {
    // Thinned rows walk over the positions, so that no column of the grid is preferred.
    const std::int64_t at =
        keep == all ? i : static_cast<std::int64_t>(static_cast<unsigned __int128>(i) * all / keep);
    out.emplace_back(static_cast<int>(at / positions), at % positions);
  }
  return out;
}

class Patchcore : public Method {
 public:
  std::string_view name() const override { return "patchcore"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    RecipeDefaults defaults;
    defaults.input.size = 384;
    defaults.scoring.smoothing_sigma = 4;  // published
    if (recipe == Recipe::kBaseline) {
      options_.embedding = PatchcoreEmbedding::kPublished;
      options_.distance = PatchcoreDistance::kSquared;
      options_.bank_rows = 0;
      options_.density_neighbours = 0;
      defaults.input = InputOptions{Framing::kCentreCrop, 224, 256};
      defaults.scoring.image_score = ImageScore::kPatchMax;
    }
    return defaults;
  }

  MethodNeeds needs() const override {
    return {.layers = kPatchCoreLayers, .training = TrainingKind::kOnePass};
  }

  FitResult fit(const FeatureExtractor& extractor, const FitInput& input) const override {
    const Stopwatch watch;
    const PatchcoreFeatures encode(extractor.spec(), options_.embedding);
    const TrainingFeatures features = training_features(
        fmt::format("patchcore/{}", enum_name(options_.embedding)), input,
        [&](const std::vector<RgbImage>& images) { return encode(extractor, images).features; },
        torch::kFloat);
    const double feature_seconds = watch.seconds();
    const int samples = input.images * input.draws;
    const auto pool = pool_of(samples, features.positions(), options_.pool);
    const auto image_rows = [&](int sample) {
      return features.gather({sample % input.images}, sample / input.images)[0];
    };

    const std::int64_t width = features.width(), all = samples * features.positions();
    const std::int64_t count = std::min<std::int64_t>(bank_rows(all), std::ssize(pool));
    const std::vector<std::int64_t> picks = choose(pool, count, width, image_rows, input);

    // Rows of the bank, image by image, so that no more than one image's features are in memory.
    std::vector<std::int64_t> order = picks;
    std::sort(order.begin(), order.end());
    torch::Tensor bank = torch::empty({count, width});
    for (std::size_t i = 0; i < order.size();) {
      const int sample = pool[order[i]].first;
      const torch::Tensor rows = image_rows(sample);
      for (; i < order.size() && pool[order[i]].first == sample; ++i)
        bank[static_cast<std::int64_t>(i)].copy_(rows[pool[order[i]].second]);
    }
    FitResult result;
    result.weights[kBank] = to_host(bank);
    if (options_.density_neighbours > 0) {
      result.weights[kUnits] = to_host(density_units(NearestRows(bank), options_.density_neighbours));
    }
    result.record = one_pass_record(feature_seconds, watch.seconds() - feature_seconds);
    result.record.figures = {{"bank_rows", count}, {"training_patches", all}, {"embedding_dimension", width}};
    return result;
  }

  FitSize fit_size(const BackboneSpec& backbone, std::int64_t images, int input_size) const override {
    const std::int64_t side = input_size / 8, all = images * side * side;  // layer2's grid
    const std::int64_t width = options_.embedding == PatchcoreEmbedding::kPublished
                                   ? published_dimension(backbone)
                                   : backbone.channels(2) + backbone.channels(3);
    return {std::min<std::int64_t>(bank_rows(all), options_.pool) * width *
                static_cast<std::int64_t>(sizeof(float)),
            0, 0};
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> features, const TensorDict& weights,
                                 const std::string& file) const override {
    const HostTensor& bank = require_tensor(weights, kBank, file);
    if (bank.shape.size() != 2 || bank.shape[0] < 1 || bank.dtype != DType::kF32)
      fail(ErrorCode::kBadInput, "{}: tensor '{}' must be float32 [rows, features]", file, kBank);
    torch::Tensor units;  // models from before there were units have none, whatever the option's default
    if (weights.contains(kUnits)) {
      const HostTensor& stored = require_tensor(weights, kUnits, file);
      if (stored.shape != std::vector<std::int64_t>{bank.shape[0]} || stored.dtype != DType::kF32)
        fail(ErrorCode::kBadInput, "{}: tensor '{}' must be float32 [rows of {}]", file, kUnits, kBank);
      units = to_tensor(stored);
      if (!(units > 0).all().item<bool>())
        fail(ErrorCode::kBadInput, "{}: tensor '{}' must be positive", file, kUnits);
    }
    return std::make_unique<PatchcoreDetector>(std::move(features), options_, to_tensor(bank),
                                               std::move(units));
  }

 private:
  std::int64_t bank_rows(std::int64_t patches) const {
    if (options_.bank_rows > 0) return options_.bank_rows;
    return std::max<std::int64_t>(1, std::llround(options_.bank_share * static_cast<double>(patches)));
  }

  std::vector<std::int64_t> choose(const std::vector<std::pair<int, std::int64_t>>& pool, std::int64_t count,
                                   std::int64_t width, const std::function<torch::Tensor(int)>& image_rows,
                                   const FitInput& input) const {
    Rng rng(input.seed, "patchcore.selection");
    if (options_.selection == PatchcoreSelection::kRandom || count == std::ssize(pool)) {
      std::vector<int> order = permutation(static_cast<int>(pool.size()), rng);
      return {order.begin(), order.begin() + count};
    }
    const std::int64_t projected =
        options_.projection > 0 ? std::min<std::int64_t>(options_.projection, width) : width;
    const torch::Tensor mapper = random_projection(width, projected, input.seed);
    torch::Tensor rows = torch::empty({std::ssize(pool), projected});
    for (std::size_t i = 0; i < pool.size();) {
      const int sample = pool[i].first;
      std::vector<std::int64_t> positions;
      const auto first = static_cast<std::int64_t>(i);
      for (; i < pool.size() && pool[i].first == sample; ++i) positions.push_back(pool[i].second);
      const torch::Tensor chosen = image_rows(sample).index_select(0, torch::tensor(positions));
      rows.slice(0, first, static_cast<std::int64_t>(i))
          .copy_(options_.projection > 0 ? at::linear(chosen, mapper) : chosen);
    }
    std::vector<std::int64_t> starts;
    for (int i = 0; i < options_.start_points; ++i)
      starts.push_back(static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(pool.size()))));
    input.progress->begin("choosing the memory bank", count);
    const Coreset chosen =
        greedy_coreset(rows, count,
                       options_.selection == PatchcoreSelection::kKCenter ? CoresetStart::kKCenter
                                                                          : CoresetStart::kApproximate,
                       starts, [&](std::int64_t picked) {
                         throw_if_cancelled();
                         input.progress->advance(picked, "");
                       });
    input.progress->end();
    return chosen.index;
  }

  PatchcoreOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_patchcore() {
  return std::make_unique<Patchcore>();
}

}  // namespace glint
