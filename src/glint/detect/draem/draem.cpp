#include "glint/detect/draem/draem.h"

#include <ATen/ATen.h>

#include "glint/base/parallel.h"
#include "glint/base/random.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/draem/losses.h"
#include "glint/detect/draem/network.h"
#include "glint/detect/draem/options.h"
#include "glint/detect/patch_features.h"
#include "glint/detect/training_loop.h"
#include "glint/image/resample.h"
#include "glint/nn/adam.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr const char* kDraemAdam = "adam.draem.";
constexpr int kDraemPublishedPasses = 700;
/// The short recipe: a quarter of the published widths, for less than 30 minutes on two cores with 320 images
/// (docs/recipes.md).
constexpr int kDraemShortWidth = 32, kDraemShortPasses = 8;
/// Side of the blocks of pixels whose mean probability is a patch score: what a model keeps of its
/// calibration images is then a sixteenth of their pixels.
constexpr std::int64_t kDraemBlock = 4;

/// [B, 3, H, W] in [0, 1].
torch::Tensor draem_pictures(const std::vector<RgbImage>& images) {
  return images_to_tensor(images, {0, 0, 0}, {1, 1, 1});
}

/// The defects' probability, [B, H, W].
torch::Tensor defect_probability(const DraemNetworks& nets, const std::vector<RgbImage>& images) {
  return nets.run(draem_pictures(images), false).probability.select(1, 1);
}

class DraemDetector : public Detector {
 public:
  explicit DraemDetector(DraemNetworks nets) : nets_(std::move(nets)) {}

  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    const torch::InferenceMode inference;
    const torch::Tensor probability = defect_probability(nets_, inputs);
    const torch::Tensor blocks =
        at::avg_pool2d(probability.unsqueeze(1), kDraemBlock, kDraemBlock, 0, /*ceil_mode=*/true);
    return maps_of(blocks.squeeze(1), draem_image_scores(probability));
  }

 private:
  DraemNetworks nets_;
};

/// A step's pictures.
struct DraemBatch {
  torch::Tensor good, defective;  ///< [B, 3, H, W] in [0, 1]
  torch::Tensor mask;             ///< [B, 1, H, W], 1 = defect
};

DraemBatch draem_batch(const FitInput& input, const LoopStep& at, const DraemOptions& options) {
  std::vector<RgbImage> good(at.images.size()), defective(at.images.size());
  std::vector<Mask> masks(at.images.size());
  parallel_for(std::ssize(good), [&](std::int64_t k) {
    const auto i = static_cast<std::size_t>(k);
    const int image = at.images[i];
    DefectiveImage made = input.defective(image, at.pass);
    good[i] = input.image(image, at.draw);
    Rng rng(input.seed, "draem.turn", at.pass, image);
    if (rng.uniform() < options.rotated_share) {
      const double angle = rng.uniform(-options.largest_angle, options.largest_angle);
      made = turned_defect(made, angle);
      good[i] = warp_about_centre(good[i], angle, 0, 0, 1, false);
    }
    defective[i] = std::move(made.image);
    masks[i] = std::move(made.mask);
  });
  DraemBatch out{draem_pictures(good), draem_pictures(defective), {}};
  out.mask = torch::empty({out.good.size(0), 1, out.good.size(2), out.good.size(3)});
  for (std::size_t i = 0; i < masks.size(); ++i)
    std::copy(masks[i].pixels.begin(), masks[i].pixels.end(),
              out.mask[static_cast<std::int64_t>(i)].data_ptr<float>());
  return out;
}

class Draem : public Method {
 public:
  std::string_view name() const override { return "draem"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  /// baseline: as published. The others: narrow and short.
  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    if (recipe != Recipe::kBaseline) {
      options_.reconstructive_width = kDraemShortWidth;
      options_.discriminative_width = kDraemShortWidth / 2;
      options_.meta_epochs = kDraemShortPasses;
      options_.passes = 1;
    }
    RecipeDefaults defaults;
    defaults.input.size = 256;
    defaults.scoring.smoothing_sigma = 0;
    defaults.scoring.image_score = ImageScore::kMethod;
    return defaults;
  }

  MethodNeeds needs() const override { return {.features = FeatureKind::kNone, .synthetic_defects = true}; }

  FitResult fit(const FeatureExtractor& extractor, const FitInput& input) const override {
    const Stopwatch watch;
    const bool bf16 = extractor.precision() == Precision::kBFloat16;
    DraemNetworks nets = input.resume
                             ? DraemNetworks::from_dict(input.resume->tensors, widths(), "resume file")
                             : DraemNetworks::initial(widths(), input.seed);
    nets.require_gradients(true);
    nets.use_bfloat16(bf16);
    const std::vector<torch::Tensor> parameters = nets.parameters();
    AdamState adam = AdamState::of(parameters);
    if (input.resume) adam.load(input.resume->tensors, kDraemAdam, "resume file");

    const int passes = options_.meta_epochs * options_.passes;
    const std::vector<RgbImage> held_out = tracker_images(input);
    LoopCallbacks loop;
    loop.train = [&](const LoopStep& at) -> Readings {
      const DraemBatch batch = draem_batch(input, at, options_);
      const DraemLosses losses = draem_losses(nets.run(batch.defective, true), batch.good, batch.mask);
      losses.total().backward();
      adam_step(adam, {options_.learning_rate * learning_rate_share(at.pass, passes)}, parameters,
                take_gradients(parameters));
      return {{kLoss, losses.total().item<double>()},
              {"squared_error", losses.squared_error.item<double>()},
              {"dissimilarity", losses.dissimilarity.item<double>()},
              {"focal_loss", losses.focal.item<double>()}};
    };
    loop.track = [&](int) -> Readings {
      if (held_out.empty()) return {};
      const torch::NoGradGuard no_grad;
      return {
          {"held_out_score", draem_image_scores(defect_probability(nets, held_out)).mean().item<double>()}};
    };
    loop.state = [&] {
      TensorDict state = nets.to_dict();
      adam.save(state, kDraemAdam);
      return state;
    };
    FitResult result;
    TrainingRecord& record = result.record;
    record.series = training_loop(
        input, {options_.meta_epochs, options_.passes, options_.batch, true, "draem.order"}, loop);
    result.weights = nets.to_dict();
    record.readings = {{kLoss, "loss"}, {"held_out_score", "image score of held-out good parts"}};
    record.curves = {{"Losses: all, squared error and 1 - SSIM of the reconstruction, focal of the map",
                      {kLoss, "squared_error", "dissimilarity", "focal_loss"}},
                     {"Image score of held-out good parts (diagnostic only)", {"held_out_score"}}};
    record.figures = {{"length", length_of(passes)},
                      {"precision", std::string(bf16 ? "bfloat16" : "float32")}};
    record.times = TrainingTimes{0, watch.seconds()};
    return result;
  }

  FitSize fit_size(const BackboneSpec&, std::int64_t, int) const override {
    const std::int64_t bytes = DraemNetworks::bytes(widths());
    return {bytes, 3 * bytes, options_.meta_epochs};
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> extractor, const TensorDict& weights,
                                 const std::string& file) const override {
    DraemNetworks nets = DraemNetworks::from_dict(weights, widths(), file);
    nets.use_bfloat16(extractor->precision() == Precision::kBFloat16);
    return std::make_unique<DraemDetector>(std::move(nets));
  }

 private:
  DraemWidths widths() const { return {options_.reconstructive_width, options_.discriminative_width}; }

  /// Published: at passes 560 and 630 of 700.
  double learning_rate_share(int pass, int passes) const {
    double share = 1;
    for (const int tenths : {8, 9}) {
      if (10 * pass >= tenths * passes) share *= options_.learning_rate_factor;
    }
    return share;
  }

  std::string length_of(int passes) const {
    const DraemOptions published;
    const bool is_short = passes < kDraemPublishedPasses ||
                          options_.reconstructive_width < published.reconstructive_width ||
                          options_.discriminative_width < published.discriminative_width;
    return fmt::format(
        "{} passes over the training images in batches of {}, widths {} and {}; published: {} in batches of "
        "{}, "
        "widths {} and {}{}",
        passes, options_.batch, options_.reconstructive_width, options_.discriminative_width,
        kDraemPublishedPasses, published.batch, published.reconstructive_width,
        published.discriminative_width, is_short ? ": a short recipe" : "");
  }

  DraemOptions options_;
};

}  // namespace

DefectiveImage turned_defect(const DefectiveImage& picture, double angle_deg) {
  RgbImage mask(picture.mask.width, picture.mask.height);
  for (std::size_t i = 0; i < mask.pixels.size(); ++i)
    mask.pixels[i] = picture.mask.pixels[i / 3] != 0 ? 255 : 0;
  mask = warp_about_centre(mask, angle_deg, 0, 0, 1, false);
  DefectiveImage out{warp_about_centre(picture.image, angle_deg, 0, 0, 1, false),
                     Mask(picture.mask.width, picture.mask.height)};
  for (std::size_t i = 0; i < out.mask.pixels.size(); ++i)
    out.mask.pixels[i] = mask.pixels[3 * i] > 127 ? 1 : 0;
  return out;
}

std::unique_ptr<Method> make_draem() {
  return std::make_unique<Draem>();
}

}  // namespace glint
