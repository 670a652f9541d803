#include "glint/detect/ganomaly/ganomaly.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/detect/reconstruction/pyramid.h"

namespace glint {
namespace {

constexpr std::int64_t kGanomalyColours = 3;
/// The discriminator begins anew when its loss falls below it (published code).
constexpr double kDiscriminatorWon = 1e-5;
/// Recipes other than the published one (docs/recipes.md).
constexpr int kGanomalyWindow = 64, kGanomalyBatch = 16, kGanomalyMetaEpochs = 20, kGanomalyPasses = 5;

ConvChain ganomaly_encoder(const GanomalyOptions& options, const std::string& prefix) {
  return pyramid_down(options.shared.window, kGanomalyColours, options.width, options.latent, prefix,
                      PyramidNames::kDescribed, Activation::kNone);
}

ConvChain ganomaly_decoder(const GanomalyOptions& options) {
  return pyramid_up(options.shared.window, options.latent, options.width, kGanomalyColours, "decoder.main.");
}

ConvChain ganomaly_discriminator(const GanomalyOptions& options) {
  return pyramid_down(options.shared.window, kGanomalyColours, options.width, 1, "", PyramidNames::kCounted,
                      Activation::kSigmoid);
}

class Ganomaly : public ReconstructionMethod {
 public:
  std::string_view name() const override { return "ganomaly"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    if (recipe != Recipe::kBaseline) {
      options_.shared.window = kGanomalyWindow;
      options_.shared.stride = kGanomalyWindow / 2;
      options_.shared.batch = kGanomalyBatch;
      options_.shared.meta_epochs = kGanomalyMetaEpochs;
      options_.shared.passes = kGanomalyPasses;
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
    const std::int64_t generator = GanomalyReconstructor::generator_layout(options_).bytes(),
                       discriminator = GanomalyReconstructor::discriminator_layout(options_).bytes();
    return {generator, 3 * (generator + discriminator), options_.shared.meta_epochs};
  }

 protected:
  const ReconstructionOptions& shared() const override { return options_.shared; }
  PixelForm pixels() const override { return {.around_zero = true}; }
  std::unique_ptr<Reconstructor> initial(std::uint64_t seed) const override {
    return std::make_unique<GanomalyReconstructor>(
        options_,
        TrainableNet::initial(GanomalyReconstructor::generator_layout(options_), InitialWeights::kDcgan, seed,
                              "ganomaly.generator"),
        TrainableNet::initial(GanomalyReconstructor::discriminator_layout(options_), InitialWeights::kDcgan,
                              seed, "ganomaly.discriminator"));
  }
  std::unique_ptr<Reconstructor> from_dict(const TensorDict& weights,
                                           const std::string& file) const override {
    return std::make_unique<GanomalyReconstructor>(
        options_, TrainableNet::from_dict(GanomalyReconstructor::generator_layout(options_), weights, file),
        training_net(GanomalyReconstructor::discriminator_layout(options_), weights, "discriminator", file));
  }
  std::string published_length() const override {
    return "15 passes of 45,000 pictures of 32 pixels in batches of 64 (CIFAR-10), the best on the test set "
           "kept";
  }
  void describe_record(TrainingRecord& record) const override {
    record.readings["discriminator_loss"] = "loss of the discriminator";
    record.curves = {{"Losses: generator, its reconstruction, discriminator",
                      {kLoss, "reconstruction_loss", "discriminator_loss"}},
                     {"Losses of features and of codes", {"feature_loss", "latent_loss"}}};
  }

 private:
  GanomalyOptions options_;
};

}  // namespace

void GanomalyOptions::describe(OptionTable& table) {
  table.add("ganomaly.latent", latent, "numbers of the code", {1, 4096});
  table.add("ganomaly.width", width, "channels behind the first layer; they double with each halving",
            {1, 512});
  table.add("ganomaly.adversarial_weight", adversarial_weight, "of the discriminator's features in the loss",
            {0, 1e4});
  table.add("ganomaly.reconstruction_weight", reconstruction_weight, "of the picture in the loss", {0, 1e4});
  table.add("ganomaly.latent_weight", latent_weight, "of the code in the loss", {0, 1e4});
  table.add("ganomaly.learning_rate", learning_rate, "Adam's step size, both networks", {0, 1});
  shared.describe(table, "ganomaly");
}

NetLayout GanomalyReconstructor::generator_layout(const GanomalyOptions& options) {
  NetLayout layout;
  ganomaly_encoder(options, "encoder1.main.").describe(layout);
  ganomaly_decoder(options).describe(layout);
  ganomaly_encoder(options, "encoder2.main.").describe(layout);
  return layout;
}

NetLayout GanomalyReconstructor::discriminator_layout(const GanomalyOptions& options) {
  NetLayout layout;
  ganomaly_discriminator(options).describe(layout);
  return layout;
}

GanomalyReconstructor::GanomalyReconstructor(const GanomalyOptions& options, TrainableNet generator,
                                             TrainableNet discriminator)
    : AdversarialReconstructor(std::move(generator), std::move(discriminator)),
      options_(options),
      encoder1_(ganomaly_encoder(options, "encoder1.main.")),
      decoder_(ganomaly_decoder(options)),
      encoder2_(ganomaly_encoder(options, "encoder2.main.")),
      pyramid_(ganomaly_discriminator(options)) {}

GanomalyReconstructor::Generated GanomalyReconstructor::generate(const torch::Tensor& x,
                                                                 bool training) const {
  const TrainableNet& net = generator_.net;
  const torch::Tensor code = encoder1_.run(net, x, training);
  const torch::Tensor image = decoder_.run(net, code, training);
  return {image, code.flatten(1), encoder2_.run(net, image, training).flatten(1)};
}

GanomalyReconstructor::Judged GanomalyReconstructor::discriminate(const torch::Tensor& x,
                                                                  bool training) const {
  const std::size_t last = pyramid_.size() - 1;
  const torch::Tensor features = pyramid_.run(discriminator_.net, x, training, 0, last);
  return {features.to(torch::kFloat),
          pyramid_.run(discriminator_.net, features, training, last, last + 1).flatten()};
}

GanomalyReconstructor::Losses GanomalyReconstructor::losses(const torch::Tensor& x, bool training) const {
  const Generated fake = generate(x, training);
  const Judged of_real = discriminate(x, training), of_fake = discriminate(fake.image, training);
  Losses out;
  out.features = (of_real.features - of_fake.features).square().mean();
  out.reconstruction = (x - fake.image).abs().mean();
  out.latent = (fake.latent - fake.latent_again).square().mean();
  out.generator = options_.adversarial_weight * out.features +
                  options_.reconstruction_weight * out.reconstruction + options_.latent_weight * out.latent;
  out.real = label_loss(of_real.real, 1);
  out.fake = label_loss(of_fake.real, 0);
  out.discriminator = (out.real + out.fake) / 2;
  return out;
}

Readings GanomalyReconstructor::step(const torch::Tensor& x, const LoopStep&, std::uint64_t seed) {
  const Losses now = losses(x, true);
  // Both of the networks as they were before the step: the discriminator's outputs are computed before the
  // generator's step in the published code too.
  const auto of_generator = generator_.gradients(now.generator, /*keep_graph=*/true);
  const auto of_discriminator = discriminator_.gradients(now.discriminator);
  const AdamOptions adam{.learning_rate = options_.learning_rate, .beta1 = kAdversarialAdam.beta1};
  generator_.update(adam, of_generator);
  discriminator_.update(adam, of_discriminator);
  const double won = now.discriminator.item<double>();
  if (won < kDiscriminatorWon) {
    const std::vector<torch::Tensor> fresh = TrainableNet::initial(discriminator_layout(options_),
                                                                   InitialWeights::kDcgan, seed,
                                                                   "ganomaly.discriminator")
                                                 .parameters(),
                                     worn = discriminator_.net.parameters();
    for (std::size_t i = 0; i < worn.size(); ++i) worn[i].detach().copy_(fresh[i]);
  }
  return {{kLoss, now.generator.item<double>()},
          {"feature_loss", now.features.item<double>()},
          {"reconstruction_loss", now.reconstruction.item<double>()},
          {"latent_loss", now.latent.item<double>()},
          {"discriminator_loss", won},
          {"real_loss", now.real.item<double>()},
          {"fake_loss", now.fake.item<double>()}};
}

Reconstruction GanomalyReconstructor::reconstruct(const torch::Tensor& x) const {
  const Generated out = generate(x, false);
  return {out.image, (out.latent - out.latent_again).square().mean(1)};
}

void GanomalyReconstructor::save_training(TensorDict& state) const {
  state.merge(discriminator_.net.to_dict(training_prefix("discriminator")));
  AdversarialReconstructor::save_training(state);
}

std::unique_ptr<Method> make_ganomaly() {
  return std::make_unique<Ganomaly>();
}

}  // namespace glint
