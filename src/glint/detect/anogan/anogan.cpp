#include "glint/detect/anogan/anogan.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/detect/seeded_tensors.h"

namespace glint {
namespace {

constexpr std::int64_t kAnoganColours = 3, kAnoganKernel = 5, kAnoganCoarse = 8;  // times the width
constexpr int kAnoganLevels = 4, kAnoganCells = 16;  // the networks halve four times
constexpr const char *kAnoganInput = "input", *kAnoganInputNorm = "norm", *kAnoganOutput = "output";
/// Recipes other than the published one (docs/recipes.md).
constexpr int kAnoganShortBatch = 16, kAnoganShortMetaEpochs = 20, kAnoganShortPasses = 3,
              kAnoganShortSearch = 100;

std::int64_t coarse_values(const AnoganOptions& options) {
  const std::int64_t cells = options.shared.window / kAnoganCells;
  return kAnoganCoarse * options.width * cells * cells;
}

/// 5x5 with twice the side: 512, 256, 128, 64, 3 channels at width 64.
ConvChain anogan_up(const AnoganOptions& options) {
  ConvChain chain;
  std::int64_t in = kAnoganCoarse * options.width;
  for (int i = 0; i < kAnoganLevels; ++i, in /= 2) {
    const bool last = i + 1 == kAnoganLevels;
    chain.add({.name = fmt::format("up{}", i + 1),
               .in = in,
               .out = last ? kAnoganColours : in / 2,
               .kernel = kAnoganKernel,
               .geometry = {2, 2, 1, 1},
               .transposed = true,
               .norm = last ? "" : fmt::format("up{}.norm", i + 1),
               .activation = last ? Activation::kTanh : Activation::kRelu});
  }
  return chain;
}

/// The mirror image, without a norm behind the first layer (DCGAN).
ConvChain anogan_down(const AnoganOptions& options) {
  ConvChain chain;
  std::int64_t in = kAnoganColours, out = options.width;
  for (int i = 0; i < kAnoganLevels; ++i, in = out, out *= 2) {
    chain.add({.name = fmt::format("down{}", i + 1),
               .in = in,
               .out = out,
               .kernel = kAnoganKernel,
               .geometry = {2, 2},
               .norm = i == 0 ? "" : fmt::format("down{}.norm", i + 1),
               .activation = Activation::kLeakyRelu});
  }
  return chain;
}

/// Codes uniform on [-1, 1).
torch::Tensor draw_codes(std::int64_t n, int latent, Rng rng) {
  return uniform_tensor({n, latent}, 1, rng);
}

torch::Tensor logit_loss(const torch::Tensor& logits, double label) {
  return at::binary_cross_entropy_with_logits(logits, torch::full_like(logits, label), {}, {},
                                              at::Reduction::Mean);
}

class Anogan : public ReconstructionMethod {
 public:
  std::string_view name() const override { return "anogan"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    if (recipe != Recipe::kBaseline) {
      options_.shared.batch = kAnoganShortBatch;
      options_.shared.meta_epochs = kAnoganShortMetaEpochs;
      options_.shared.passes = kAnoganShortPasses;
      options_.search_steps = kAnoganShortSearch;
    }
    RecipeDefaults defaults;
    defaults.input.size = options_.shared.window;
    defaults.scoring.image_score = ImageScore::kMethod;
    return defaults;
  }

  void validate(const BackboneSpec& backbone, const InputOptions& input) const override {
    if (options_.shared.window % kAnoganCells != 0) {
      fail(ErrorCode::kConfig, "anogan.window = {}: must be a multiple of {}; 64 is published",
           options_.shared.window, kAnoganCells);
    }
    ReconstructionMethod::validate(backbone, input);
  }

  FitSize fit_size(const BackboneSpec&, std::int64_t, int) const override {
    const std::int64_t bytes = AnoganReconstructor::generator_layout(options_).bytes() +
                               AnoganReconstructor::discriminator_layout(options_).bytes();
    return {bytes, 3 * bytes, options_.shared.meta_epochs};
  }

 protected:
  const ReconstructionOptions& shared() const override { return options_.shared; }
  PixelForm pixels() const override { return {.around_zero = true}; }
  std::unique_ptr<Reconstructor> initial(std::uint64_t seed) const override {
    return std::make_unique<AnoganReconstructor>(
        options_,
        TrainableNet::initial(AnoganReconstructor::generator_layout(options_), InitialWeights::kDcgan, seed,
                              "anogan.generator"),
        TrainableNet::initial(AnoganReconstructor::discriminator_layout(options_), InitialWeights::kDcgan,
                              seed, "anogan.discriminator"));
  }
  std::unique_ptr<Reconstructor> from_dict(const TensorDict& weights,
                                           const std::string& file) const override {
    return std::make_unique<AnoganReconstructor>(
        options_,
        TrainableNet::from_dict(AnoganReconstructor::generator_layout(options_), weights, file,
                                kGeneratorPrefix),
        TrainableNet::from_dict(AnoganReconstructor::discriminator_layout(options_), weights, file,
                                kDiscriminatorPrefix));
  }
  std::string published_length() const override {
    return "on a million patches, which no number of passes over whole parts equals";
  }
  void describe_record(TrainingRecord& record) const override {
    record.readings[kLoss] = "loss of the generator";
    record.readings["discriminator_loss"] = "loss of the discriminator";
    record.curves = {{"Losses: generator, discriminator", {kLoss, "discriminator_loss"}}};
    record.figures["search_steps"] = static_cast<std::int64_t>(options_.search_steps);
  }

 private:
  AnoganOptions options_;
};

}  // namespace

void AnoganOptions::describe(OptionTable& table) {
  table.add("anogan.latent", latent, "numbers of the code", {1, 4096});
  table.add("anogan.width", width, "channels at the finest level; eight times as many at the coarsest",
            {1, 256});
  table.add("anogan.learning_rate", learning_rate, "Adam's step size, both networks", {0, 1});
  table.add("anogan.generator_steps", generator_steps, "of the generator for each of the discriminator",
            {1, 100});
  table.add("anogan.search_steps", search_steps, "of the search for a part's code", {1, 100000});
  table.add("anogan.search_learning_rate", search_learning_rate, "Adam's step size in the search", {0, 10});
  table.add("anogan.restarts", restarts, "searches from different codes, of which the best counts", {1, 100});
  table.add("anogan.feature_share", feature_share,
            "of the discriminator's features in what the search lowers; the rest is the picture's", {0, 1});
  shared.describe(table, "anogan");
}

NetLayout AnoganReconstructor::generator_layout(const AnoganOptions& options) {
  NetLayout layout;
  layout.linear(kAnoganInput, coarse_values(options), options.latent);
  layout.batch_norm(kAnoganInputNorm, kAnoganCoarse * options.width);
  anogan_up(options).describe(layout);
  return layout;
}

NetLayout AnoganReconstructor::discriminator_layout(const AnoganOptions& options) {
  NetLayout layout;
  anogan_down(options).describe(layout);
  return layout.linear(kAnoganOutput, 1, coarse_values(options));
}

AnoganReconstructor::AnoganReconstructor(const AnoganOptions& options, TrainableNet generator,
                                         TrainableNet discriminator)
    : AdversarialReconstructor(std::move(generator), std::move(discriminator)),
      options_(options),
      up_(anogan_up(options)),
      down_(anogan_down(options)) {}

torch::Tensor AnoganReconstructor::generate(const torch::Tensor& code, bool training) const {
  const TrainableNet& net = generator_.net;
  const std::int64_t cells = options_.shared.window / kAnoganCells;
  const torch::Tensor coarse =
      net.linear(code, kAnoganInput).reshape({code.size(0), kAnoganCoarse * options_.width, cells, cells});
  return up_.run(net, at::relu(net.batch_norm(coarse, kAnoganInputNorm, training)), training);
}

AnoganReconstructor::Judged AnoganReconstructor::discriminate(const torch::Tensor& x, bool training) const {
  const TrainableNet& net = discriminator_.net;
  const torch::Tensor features = down_.run(net, x, training).flatten(1);
  return {features, net.linear(features, kAnoganOutput).to(torch::kFloat).flatten()};
}

torch::Tensor AnoganReconstructor::search_loss(const torch::Tensor& x, const torch::Tensor& features_of_x,
                                               const torch::Tensor& y) const {
  const torch::Tensor picture = (x - y).abs().flatten(1).sum(1);
  const torch::Tensor features = (features_of_x - discriminate(y, false).features).abs().sum(1);
  return (1 - options_.feature_share) * picture + options_.feature_share * features;
}

Readings AnoganReconstructor::step(const torch::Tensor& x, const LoopStep&, std::uint64_t seed) {
  const AdamOptions adam{.learning_rate = options_.learning_rate, .beta1 = kAdversarialAdam.beta1};
  const auto codes = [&](int which) {
    return draw_codes(x.size(0), options_.latent, Rng(derive_seed(seed, which)));
  };
  const torch::Tensor fake = [&] {
    const torch::NoGradGuard no_grad;
    return generate(codes(0), true);
  }();
  const torch::Tensor of_discriminator =
      logit_loss(discriminate(x, true).real, 1) + logit_loss(discriminate(fake, true).real, 0);
  discriminator_.update(adam, discriminator_.gradients(of_discriminator));
  double of_generator = 0;
  for (int i = 0; i < options_.generator_steps; ++i) {
    const torch::Tensor loss = logit_loss(discriminate(generate(codes(i + 1), true), true).real, 1);
    generator_.update(adam, generator_.gradients(loss));
    of_generator += loss.item<double>() / options_.generator_steps;
  }
  return {{kLoss, of_generator}, {"discriminator_loss", of_discriminator.item<double>()}};
}

Reconstruction AnoganReconstructor::reconstruct(const torch::Tensor& x) const {
  const torch::Tensor features_of_x = discriminate(x, false).features.detach();
  Reconstruction best;
  for (int r = 0; r < options_.restarts; ++r) {
    // The same start for every picture, so that a score does not depend on the others or on their order.
    torch::Tensor code = draw_codes(1, options_.latent, Rng(0, "anogan.search", r))
                             .repeat({x.size(0), 1})
                             .requires_grad_(true);
    AdamState adam = AdamState::of({code});
    for (int i = 0; i < options_.search_steps; ++i) {
      const torch::AutoGradMode searching(true);
      const torch::Tensor loss = search_loss(x, features_of_x, generate(code, false)).sum();
      adam_step(adam, {.learning_rate = options_.search_learning_rate}, {code}, gradients_of(loss, {code}));
    }
    const torch::NoGradGuard no_grad;
    const torch::Tensor y = generate(code, false), loss = search_loss(x, features_of_x, y);
    if (!best.image.defined()) {
      best = {y, loss};
      continue;
    }
    const torch::Tensor better = loss < best.score;
    best = {at::where(better.reshape({-1, 1, 1, 1}), y, best.image), at::minimum(loss, best.score)};
  }
  return best;
}

std::unique_ptr<Method> make_anogan() {
  return std::make_unique<Anogan>();
}

}  // namespace glint
