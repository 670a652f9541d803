#include "glint/detect/cutpaste/cutpaste.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/parallel.h"
#include "glint/base/random.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/cutpaste/embedding_density.h"
#include "glint/detect/cutpaste/network.h"
#include "glint/detect/cutpaste/options.h"
#include "glint/detect/cutpaste/pasting.h"
#include "glint/detect/cutpaste/patches.h"
#include "glint/detect/patch_features.h"
#include "glint/detect/training_loop.h"
#include "glint/image/resample.h"
#include "glint/nn/learning_rate.h"
#include "glint/nn/sgd.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr const char* kCutPasteSgd = "adam.sgd.";  // the prefix of every optimiser (kOptimizerPrefix)
/// The short recipe: less than 30 minutes on two cores with 320 images (docs/recipes.md).
constexpr int kCutPasteShortBatch = 16, kCutPasteShortMetaEpochs = 3, kCutPasteShortPasses = 5,
              kCutPasteShortStride = 16;
constexpr int kPublishedSteps = 10000;  // of the re-runs, in batches of 32
/// Patches of each good picture that make the density, and vectors that a kernel density keeps.
constexpr int kDensityPatches = 16;
constexpr std::int64_t kKernelVectors = 4096;

torch::Tensor cutpaste_pictures(const std::vector<RgbImage>& images) {
  return images_to_tensor(images, kImageNetMean, kImageNetStd);
}

RgbImage random_window(const RgbImage& image, int side, Rng& rng) {
  const auto start = [&](int length) {
    return static_cast<int>(rng.below(static_cast<std::uint64_t>(length - side) + 1));
  };
  const int x = start(image.width), y = start(image.height);
  return crop(image, x, y, side, side);
}

class CutPasteDetector : public Detector {
 public:
  CutPasteDetector(CutPasteNetwork net, EmbeddingDensity density, const CutPasteOptions& options)
      : net_(std::move(net)), density_(std::move(density)), options_(options) {}

  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    const torch::InferenceMode inference;
    const torch::Tensor pictures = cutpaste_pictures(inputs);
    return options_.form == CutPasteForm::kImage ? of_pictures(pictures) : of_patches(pictures);
  }

 private:
  /// Grad-CAM (Selvaraju et al. 2017) of the score: channels weighted by its gradient, what lowers it left
  /// out.
  std::vector<PatchScores> of_pictures(const torch::Tensor& pictures) const {
    const torch::Tensor maps = net_.maps(pictures, false), vectors = CutPasteNetwork::vectors_of(maps);
    const torch::Tensor scores = density_.scores(vectors),
                        weights = density_.gradients(vectors).unsqueeze(2).unsqueeze(3);
    const torch::Tensor cam = at::relu((maps.to(torch::kDouble) * weights).sum(1));
    return maps_of(cam, scores);
  }

  std::vector<PatchScores> of_patches(const torch::Tensor& pictures) const {
    const auto judge = [this](const torch::Tensor& patches) {
      return density_.scores(CutPasteNetwork::vectors_of(net_.maps(patches, false)));
    };
    std::vector<PatchScores> out;
    for (std::int64_t i = 0; i < pictures.size(0); ++i) {
      const torch::Tensor scores = for_patches(pictures[i], options_.patch, options_.stride, judge);
      out.push_back(
          {map_of_patches(scores, pictures.size(2), pictures.size(3), options_.patch, options_.stride),
           {},
           static_cast<float>(scores.max().item<double>())});
    }
    return out;
  }

  CutPasteNetwork net_;
  EmbeddingDensity density_;
  CutPasteOptions options_;
};

class CutPaste : public Method {
 public:
  std::string_view name() const override { return "cutpaste"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  /// baseline: the published length. The others: short.
  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    if (recipe != Recipe::kBaseline) {
      options_.batch = kCutPasteShortBatch;
      options_.meta_epochs = kCutPasteShortMetaEpochs;
      options_.passes = kCutPasteShortPasses;
      options_.stride = kCutPasteShortStride;
    }
    RecipeDefaults defaults;
    defaults.input.size = 256;
    defaults.scoring.smoothing_sigma = 4;
    defaults.scoring.image_score = ImageScore::kMethod;
    return defaults;
  }

  MethodNeeds needs() const override { return {.features = FeatureKind::kNone}; }

  void validate(const BackboneSpec&, const InputOptions& input) const override {
    const ImageSize size = input.input_size();
    if (options_.form == CutPasteForm::kPatches && std::min(size.width, size.height) < options_.patch) {
      fail(ErrorCode::kConfig,
           "cutpaste.patch = {}: the network's input is only {} x {} pixels; set a larger input.size or "
           "smaller "
           "patches",
           options_.patch, size.width, size.height);
    }
  }

  FitResult fit(const FeatureExtractor& extractor, const FitInput& input) const override {
    const Stopwatch watch;
    const bool bf16 = extractor.precision() == Precision::kBFloat16;
    CutPasteNetwork net = input.resume
                              ? CutPasteNetwork::from_dict(input.resume->tensors, shape(), "resume file")
                              : CutPasteNetwork::initial(shape(), input.seed);
    net.require_gradients(true);
    net.use_bfloat16(bf16);
    const std::vector<torch::Tensor> parameters = net.parameters();
    SgdState sgd = SgdState::of(parameters);
    if (input.resume) sgd.load(input.resume->tensors, kCutPasteSgd, "resume file");

    LoopCallbacks loop;
    loop.train = [&](const LoopStep& at) -> Readings {
      const torch::Tensor pictures = cutpaste_pictures(three_ways(input, at));
      const torch::Tensor label =
          at::arange(kCutPasteClasses, torch::kLong).repeat_interleave(pictures.size(0) / kCutPasteClasses);
      const torch::Tensor logits = net.logits(CutPasteNetwork::vectors_of(net.maps(pictures, true)), true);
      const torch::Tensor loss = at::cross_entropy_loss(logits, label);
      loss.backward();
      sgd_step(sgd,
               {warm_cosine(at.global, at.total, 0, options_.learning_rate, 0), options_.momentum,
                options_.weight_decay},
               parameters, take_gradients(parameters));
      return {{kLoss, loss.item<double>()},
              {"told_apart", logits.argmax(1).eq(label).to(torch::kDouble).mean().item<double>()}};
    };
    const std::vector<RgbImage> held_out = tracker_images(input);
    loop.track = [&](int) -> Readings {
      if (held_out.empty()) return {};
      const torch::NoGradGuard no_grad;
      const torch::Tensor logits =
          net.logits(CutPasteNetwork::vectors_of(net.maps(cutpaste_pictures(held_out), false)), false);
      return {{"held_out_good", at::softmax(logits, 1).select(1, 0).mean().item<double>()}};
    };
    const auto weights = [&] {
      TensorDict out = net.to_dict();
      out.merge(density_of(net, input).to_dict());
      return out;
    };
    TensorDict last;
    loop.state = [&] {
      last = weights();
      TensorDict state = last;
      sgd.save(state, kCutPasteSgd);
      return state;
    };
    FitResult result;
    TrainingRecord& record = result.record;
    record.series = training_loop(
        input, {options_.meta_epochs, options_.passes, options_.batch, true, "cutpaste.order"}, loop);
    result.weights = last.empty() ? weights() : std::move(last);
    record.readings = {{kLoss, "loss"},
                       {"told_apart", "share of the training pictures put into their class"},
                       {"held_out_good", "probability of 'good' of held-out good parts"}};
    record.curves = {{"Cross-entropy of three classes", {kLoss}},
                     {"Share put into their class; 'good' of held-out good parts (diagnostic only)",
                      {"told_apart", "held_out_good"}}};
    record.figures = {{"length", length_of(input.images)},
                      {"first_values", std::string("random: no ImageNet weights of layer4 are read")},
                      {"precision", std::string(bf16 ? "bfloat16" : "float32")}};
    record.times = TrainingTimes{0, watch.seconds()};
    return result;
  }

  FitSize fit_size(const BackboneSpec&, std::int64_t images, int) const override {
    const std::int64_t vector = shape().vector();
    const std::int64_t values = options_.density == CutPasteDensity::kKernel
                                    ? density_vectors(images) * vector
                                    : vector * (vector + 1);
    const std::int64_t net = CutPasteNetwork::bytes(shape()),
                       weights = net + values * static_cast<std::int64_t>(sizeof(float));
    return {weights, weights + net, options_.meta_epochs};
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> extractor, const TensorDict& weights,
                                 const std::string& file) const override {
    CutPasteNetwork net = CutPasteNetwork::from_dict(weights, shape(), file);
    net.use_bfloat16(extractor->precision() == Precision::kBFloat16);
    return std::make_unique<CutPasteDetector>(
        std::move(net),
        EmbeddingDensity::from_dict(options_.density, options_.bandwidth, shape().vector(), weights, file),
        options_);
  }

 private:
  CutPasteShape shape() const { return {options_.layers, options_.hidden_layers}; }
  bool in_patches() const { return options_.form == CutPasteForm::kPatches; }

  /// The step's pictures, their cuts, their scars.
  std::vector<RgbImage> three_ways(const FitInput& input, const LoopStep& at) const {
    const std::size_t count = at.images.size();
    std::vector<RgbImage> out(kCutPasteClasses * count);
    parallel_for(static_cast<std::int64_t>(count), [&](std::int64_t k) {
      const auto i = static_cast<std::size_t>(k);
      Rng rng(input.seed, "cutpaste.pasting", at.pass, at.images[i]);
      RgbImage good = jitter_colours(input.image(at.images[i], at.draw), options_.picture_jitter, rng);
      if (in_patches()) good = random_window(good, options_.patch, rng);
      out[count + i] = paste_cut(good, rng);
      out[2 * count + i] = paste_scar(good, rng);
      out[i] = std::move(good);
    });
    return out;
  }

  std::int64_t density_vectors(std::int64_t pictures) const {
    const std::int64_t all = pictures * (in_patches() ? kDensityPatches : 1);
    return options_.density == CutPasteDensity::kKernel ? std::min(all, kKernelVectors) : all;
  }

  /// From the training pictures as they are; of patches, a few random ones of each.
  EmbeddingDensity density_of(const CutPasteNetwork& net, const FitInput& input) const {
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> vectors;
    std::uint64_t picture = 0;
    FitInput quiet;  // one bar at a time: the training's
    quiet.images = input.images;
    quiet.draws = input.draws;
    quiet.image = input.image;
    for_each_batch(quiet, "density of good parts", [&](const std::vector<RgbImage>& images) {
      std::vector<RgbImage> judged;
      for (const RgbImage& image : images) {
        Rng rng(input.seed, "cutpaste.density", picture++);
        for (int i = 0; in_patches() && i < kDensityPatches; ++i)
          judged.push_back(random_window(image, options_.patch, rng));
      }
      vectors.push_back(
          CutPasteNetwork::vectors_of(net.maps(cutpaste_pictures(in_patches() ? judged : images), false)));
    });
    torch::Tensor all = at::cat(vectors);
    if (options_.density == CutPasteDensity::kKernel && all.size(0) > kKernelVectors) {
      std::vector<int> order =
          permutation(static_cast<int>(all.size(0)), Rng(input.seed, "cutpaste.kernels"));
      order.resize(static_cast<std::size_t>(kKernelVectors));
      all = all.index_select(0, torch::tensor(order, torch::kLong));
    }
    return EmbeddingDensity::fit(options_.density, options_.bandwidth, all);
  }

  std::string length_of(int images) const {
    const int batch = std::min(options_.batch, images), passes = options_.meta_epochs * options_.passes;
    const std::int64_t steps = static_cast<std::int64_t>(passes) * (images / batch);
    return fmt::format(
        "{} passes over the training images, {} steps of 3 x {} pictures; published: {} of 3 x {}{}", passes,
        steps, batch, kPublishedSteps, CutPasteOptions().batch,
        steps * batch < std::int64_t{kPublishedSteps} * CutPasteOptions().batch ? ": a short recipe" : "");
  }

  CutPasteOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_cutpaste() {
  return std::make_unique<CutPaste>();
}

}  // namespace glint
