#include "glint/detect/skip_ganomaly/skip_ganomaly.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "glint/base/error.h"
#include "glint/detect/reconstruction/pyramid.h"

namespace glint {
namespace {

constexpr std::int64_t kSkipColours = 3, kSkipKernel = 4, kMostWidths = 8;
constexpr ConvGeometry kSkipHalving = {2, 1};
/// Recipes other than the published one (docs/recipes.md).
constexpr int kSkipWindow = 64, kSkipBatch = 16, kSkipMetaEpochs = 10, kSkipPasses = 8;

/// The pyramid to the features, and a classifier on them.
ConvChain skip_discriminator(const SkipGanomalyOptions& options) {
  ConvChain chain = pyramid_down(options.shared.window, kSkipColours, options.width, options.latent, "feat.",
                                 PyramidNames::kDescribed, Activation::kNone);
  return chain.add({.name = "clas.classifier",
                    .in = options.latent,
                    .out = 1,
                    .geometry = {1, 1},
                    .bias = false,
                    .activation = Activation::kSigmoid});
}

class SkipGanomaly : public ReconstructionMethod {
 public:
  std::string_view name() const override { return "skip_ganomaly"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    if (recipe != Recipe::kBaseline) {
      options_.shared.window = kSkipWindow;
      options_.shared.stride = kSkipWindow / 2;
      options_.shared.batch = kSkipBatch;
      options_.shared.meta_epochs = kSkipMetaEpochs;
      options_.shared.passes = kSkipPasses;
    }
    RecipeDefaults defaults;
    defaults.input.size = options_.shared.window;
    defaults.scoring.image_score = ImageScore::kMethod;
    return defaults;
  }

  void validate(const BackboneSpec& backbone, const InputOptions& input) const override {
    check_pyramid_window(name(), options_.shared.window);
    ReconstructionMethod::validate(backbone, input);
  }

  FitSize fit_size(const BackboneSpec&, std::int64_t, int) const override {
    const std::int64_t bytes = SkipGanomalyReconstructor::generator_layout(options_).bytes() +
                               SkipGanomalyReconstructor::discriminator_layout(options_).bytes();
    return {bytes, 3 * bytes, options_.shared.meta_epochs};
  }

 protected:
  const ReconstructionOptions& shared() const override { return options_.shared; }
  PixelForm pixels() const override { return {.around_zero = true}; }
  std::unique_ptr<Reconstructor> initial(std::uint64_t seed) const override {
    return std::make_unique<SkipGanomalyReconstructor>(
        options_,
        TrainableNet::initial(SkipGanomalyReconstructor::generator_layout(options_), InitialWeights::kDcgan,
                              seed, "skip_ganomaly.generator"),
        TrainableNet::initial(SkipGanomalyReconstructor::discriminator_layout(options_),
                              InitialWeights::kDcgan, seed, "skip_ganomaly.discriminator"));
  }
  std::unique_ptr<Reconstructor> from_dict(const TensorDict& weights,
                                           const std::string& file) const override {
    return std::make_unique<SkipGanomalyReconstructor>(
        options_,
        TrainableNet::from_dict(SkipGanomalyReconstructor::generator_layout(options_), weights, file,
                                kGeneratorPrefix),
        TrainableNet::from_dict(SkipGanomalyReconstructor::discriminator_layout(options_), weights, file,
                                kDiscriminatorPrefix));
  }
  std::string published_length() const override {
    return "15 passes of 45,000 pictures of 32 pixels in batches of 64 (CIFAR-10), the best on the test set "
           "kept";
  }
  void describe_record(TrainingRecord& record) const override {
    record.readings["discriminator_loss"] = "loss of the discriminator";
    record.curves = {{"Losses: generator, its reconstruction, discriminator",
                      {kLoss, "reconstruction_loss", "discriminator_loss"}},
                     {"Adversarial loss, loss of the features", {"adversarial_loss", "feature_loss"}}};
  }

 private:
  SkipGanomalyOptions options_;
};

}  // namespace

void SkipGanomalyOptions::describe(OptionTable& table) {
  const std::string name = "skip_ganomaly.";
  table.add(name + "latent", latent, "numbers of the discriminator's features", {1, 4096});
  table.add(name + "width", width, "channels behind the first layer; they double with each halving",
            {1, 512});
  table.add(name + "adversarial_weight", adversarial_weight, "of fooling the discriminator in the loss",
            {0, 1e4});
  table.add(name + "reconstruction_weight", reconstruction_weight, "of the picture in the loss", {0, 1e4});
  table.add(name + "latent_weight", latent_weight, "of the discriminator's features in the loss", {0, 1e4});
  table.add(name + "discriminator_loss", discriminator_loss,
            "latent: its features shall also agree on both pictures (published); plain: they need not");
  table.add(name + "score_share", score_share,
            "of the picture's error in the method's image score; the rest is the features'", {0, 1});
  table.add(name + "learning_rate", learning_rate, "Adam's step size, both networks", {0, 1});
  shared.describe(table, "skip_ganomaly");
}

SkipGenerator::SkipGenerator(int window, std::int64_t colours, std::int64_t width) {
  GLINT_CHECK(is_pyramid_window(window));
  std::string module = "model.model.";  // a block's sequence; the next block is a member of it
  std::int64_t in = colours, factor = 1;
  for (int side = window; side > 1; side /= 2, factor = std::min(2 * factor, kMostWidths)) {
    const bool outermost = side == window, innermost = side == 2;
    const auto member = [&](int place) { return fmt::format("{}{}", module, place); };
    Level level{.in = in, .inner = factor * width};
    level.down = member(outermost ? 0 : 1);
    if (!outermost && !innermost) level.down_norm = member(2);
    level.up = member(outermost || innermost ? 3 : 5);
    if (!outermost) level.up_norm = member(innermost ? 4 : 6);
    level.up_in = innermost ? level.inner : 2 * level.inner;
    module = member(outermost ? 1 : 3) + ".model.";
    in = level.inner;
    levels_.push_back(std::move(level));
  }
}

void SkipGenerator::describe(NetLayout& layout) const {
  for (const Level& l : levels_) {
    layout.conv(l.down, l.inner, l.in, kSkipKernel, false);
    if (!l.down_norm.empty()) layout.batch_norm(l.down_norm, l.inner);
  }
  for (auto l = levels_.rbegin(); l != levels_.rend(); ++l) {
    layout.conv_transpose(l->up, l->in, l->up_in, kSkipKernel, /*bias=*/l->up_norm.empty());
    if (!l->up_norm.empty()) layout.batch_norm(l->up_norm, l->in);
  }
}

torch::Tensor SkipGenerator::below(const TrainableNet& net, const torch::Tensor& x, bool training,
                                   std::size_t level) const {
  const Level& l = levels_[level];
  torch::Tensor t = level == 0 ? x : activated(x, Activation::kLeakyRelu);
  t = net.conv(t, l.down, kSkipHalving);
  if (!l.down_norm.empty()) t = net.batch_norm(t, l.down_norm, training);
  // What comes back from below lies behind what went there. The published layers work in place, so that the
  // latter is the leaky one; the rectifier that follows makes both the same.
  if (level + 1 < levels_.size()) t = at::cat({t, below(net, t, training, level + 1)}, 1);
  t = net.conv_transpose(at::relu(t), l.up, kSkipHalving);
  return l.up_norm.empty() ? t : net.batch_norm(t, l.up_norm, training);
}

torch::Tensor SkipGenerator::run(const TrainableNet& net, const torch::Tensor& x, bool training) const {
  return at::tanh(below(net, x, training, 0).to(torch::kFloat));
}

NetLayout SkipGanomalyReconstructor::generator_layout(const SkipGanomalyOptions& options) {
  NetLayout layout;
  SkipGenerator(options.shared.window, kSkipColours, options.width).describe(layout);
  return layout;
}

NetLayout SkipGanomalyReconstructor::discriminator_layout(const SkipGanomalyOptions& options) {
  NetLayout layout;
  skip_discriminator(options).describe(layout);
  return layout;
}

SkipGanomalyReconstructor::SkipGanomalyReconstructor(const SkipGanomalyOptions& options,
                                                     TrainableNet generator, TrainableNet discriminator)
    : AdversarialReconstructor(std::move(generator), std::move(discriminator)),
      options_(options),
      unet_(options.shared.window, kSkipColours, options.width),
      pyramid_(skip_discriminator(options)) {}

torch::Tensor SkipGanomalyReconstructor::generate(const torch::Tensor& x, bool training) const {
  return unet_.run(generator_.net, x, training);
}

SkipGanomalyReconstructor::Judged SkipGanomalyReconstructor::discriminate(const torch::Tensor& x,
                                                                          bool training) const {
  const std::size_t last = pyramid_.size() - 1;
  const torch::Tensor features = pyramid_.run(discriminator_.net, x, training, 0, last);
  return {features.to(torch::kFloat).flatten(1),
          pyramid_.run(discriminator_.net, features, training, last, last + 1).flatten()};
}

SkipGanomalyReconstructor::Losses SkipGanomalyReconstructor::losses(const torch::Tensor& x,
                                                                    bool training) const {
  const torch::Tensor y = generate(x, training);
  const Judged of_real = discriminate(x, training), of_fake = discriminate(y, training);
  Losses out;
  out.adversarial = label_loss(of_fake.real, 1);
  out.reconstruction = (x - y).abs().mean();
  out.features = (of_fake.features - of_real.features).square().mean();
  out.generator = options_.adversarial_weight * out.adversarial +
                  options_.reconstruction_weight * out.reconstruction + options_.latent_weight * out.features;
  out.real = label_loss(of_real.real, 1);
  out.fake = label_loss(of_fake.real, 0);
  out.discriminator = out.real + out.fake;
  if (options_.discriminator_loss == SkipDiscriminatorLoss::kLatent)
    out.discriminator = out.discriminator + out.features;
  return out;
}

Readings SkipGanomalyReconstructor::step(const torch::Tensor& x, const LoopStep&, std::uint64_t) {
  const Losses now = losses(x, true);
  const auto of_generator = generator_.gradients(now.generator, /*keep_graph=*/true);
  const auto of_discriminator = discriminator_.gradients(now.discriminator);
  const AdamOptions adam{.learning_rate = options_.learning_rate, .beta1 = kAdversarialAdam.beta1};
  generator_.update(adam, of_generator);
  discriminator_.update(adam, of_discriminator);
  return {{kLoss, now.generator.item<double>()},
          {"adversarial_loss", now.adversarial.item<double>()},
          {"reconstruction_loss", now.reconstruction.item<double>()},
          {"feature_loss", now.features.item<double>()},
          {"discriminator_loss", now.discriminator.item<double>()},
          {"real_loss", now.real.item<double>()},
          {"fake_loss", now.fake.item<double>()}};
}

Reconstruction SkipGanomalyReconstructor::reconstruct(const torch::Tensor& x) const {
  const torch::Tensor y = generate(x, false);
  const torch::Tensor features = discriminate(x, false).features - discriminate(y, false).features;
  return {y, options_.score_share * (x - y).square().flatten(1).mean(1) +
                 (1 - options_.score_share) * features.square().mean(1)};
}

std::unique_ptr<Method> make_skip_ganomaly() {
  return std::make_unique<SkipGanomaly>();
}

}  // namespace glint
