#include "glint/detect/f_anogan/f_anogan.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/detect/seeded_tensors.h"

namespace glint {
namespace {

constexpr int kFAnoganCells = 16;  // the networks halve four times
constexpr AdamOptions kWassersteinAdam{.learning_rate = 1e-4, .beta1 = 0, .beta2 = 0.9};
constexpr const char *kFAnoganGenerator = "generator.", *kFAnoganCritic = "critic.",
                     *kFAnoganEncoder = "encoder.", *kFAnoganRmsProp = "adam.encoder.";
/// The short recipe (docs/recipes.md).
constexpr int kFAnoganShortWidth = 16, kFAnoganShortBatch = 16, kFAnoganShortPasses = 3;

torch::Tensor uniform_shares(std::int64_t n, std::uint64_t seed) {
  Rng rng(seed);
  return uniform_tensor({n}, 0.5, rng) + 0.5;
}

class FAnogan : public ReconstructionMethod {
 public:
  std::string_view name() const override { return "f_anogan"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    if (recipe != Recipe::kBaseline) {
      options_.colour = PictureColour::kRgb;
      options_.width = kFAnoganShortWidth;
      options_.shared.batch = kFAnoganShortBatch;
      options_.shared.passes = kFAnoganShortPasses;
    }
    RecipeDefaults defaults;
    defaults.input.size = options_.shared.window;
    defaults.scoring.image_score = ImageScore::kMethod;
    return defaults;
  }

  void validate(const BackboneSpec& backbone, const InputOptions& input) const override {
    if (options_.shared.window % kFAnoganCells != 0) {
      fail(ErrorCode::kConfig, "f_anogan.window = {}: must be a multiple of {}; 64 is published",
           options_.shared.window, kFAnoganCells);
    }
    if (options_.gan_meta_epochs >= options_.shared.meta_epochs) {
      fail(ErrorCode::kConfig,
           "f_anogan.gan_meta_epochs = {}: the encoder trains in the meta-epochs after them; set it below "
           "f_anogan.meta_epochs = {}",
           options_.gan_meta_epochs, options_.shared.meta_epochs);
    }
    ReconstructionMethod::validate(backbone, input);
  }

  FitSize fit_size(const BackboneSpec&, std::int64_t, int) const override {
    const FAnoganNetworks networks(options_);
    const std::int64_t adversaries = networks.generator_layout().bytes() + networks.critic_layout().bytes(),
                       encoder = networks.encoder_layout().bytes();
    return {adversaries + encoder, 3 * adversaries + 2 * encoder, options_.shared.meta_epochs};
  }

 protected:
  const ReconstructionOptions& shared() const override { return options_.shared; }
  PixelForm pixels() const override {
    return {.grey = options_.colour == PictureColour::kGrey, .around_zero = true};
  }
  std::unique_ptr<Reconstructor> initial(std::uint64_t seed) const override {
    const FAnoganNetworks networks(options_);
    const auto first = [&](const NetLayout& layout, const char* stream) {
      return TrainableNet::initial(layout, InitialWeights::kXavierNormal, seed, stream);
    };
    return std::make_unique<FAnoganReconstructor>(options_,
                                                  first(networks.generator_layout(), "f_anogan.generator"),
                                                  first(networks.critic_layout(), "f_anogan.critic"),
                                                  first(networks.encoder_layout(), "f_anogan.encoder"));
  }
  std::unique_ptr<Reconstructor> from_dict(const TensorDict& weights,
                                           const std::string& file) const override {
    const FAnoganNetworks networks(options_);
    return std::make_unique<FAnoganReconstructor>(
        options_, TrainableNet::from_dict(networks.generator_layout(), weights, file, kFAnoganGenerator),
        TrainableNet::from_dict(networks.critic_layout(), weights, file, kFAnoganCritic),
        TrainableNet::from_dict(networks.encoder_layout(), weights, file, kFAnoganEncoder));
  }
  int first_usable_epoch() const override { return options_.gan_meta_epochs + 1; }
  std::string published_length() const override {
    return "50,000 steps of the encoder in batches of 64 on patches, with 64 channels; the same for the "
           "critic "
           "is our choice";
  }
  void describe_record(TrainingRecord& record) const override {
    record.readings[kLoss] = "loss of the critic, then of the encoder";
    record.curves = {
        {"Loss of the critic, then of the encoder", {kLoss}},
        {"Critic: value of good parts and of generated ones", {"critic_real", "critic_fake"}},
        {"Encoder: loss of the picture and of the critic's features", {"image_loss", "feature_loss"}}};
    record.figures["gan_meta_epochs"] = static_cast<std::int64_t>(options_.gan_meta_epochs);
  }

 private:
  FAnoganOptions options_;
};

}  // namespace

void FAnoganOptions::describe(OptionTable& table) {
  table.add("f_anogan.colour", colour, "grey (published) or rgb");
  table.add("f_anogan.latent", latent, "numbers of the code", {1, 4096});
  table.add("f_anogan.width", width, "channels at the finest level; eight times as many at the coarsest",
            {1, 256});
  table.add("f_anogan.penalty_weight", penalty_weight, "of the critic's slope in its loss", {0, 1e4});
  table.add("f_anogan.feature_weight", feature_weight,
            "of the critic's features in the encoder's loss and in the image score", {0, 1e4});
  table.add("f_anogan.critic_steps", critic_steps, "of the critic for each of the generator", {1, 100});
  table.add("f_anogan.learning_rate", learning_rate, "Adam's step size, generator and critic", {0, 1});
  table.add("f_anogan.encoder_learning_rate", encoder_learning_rate, "RMSProp's step size", {0, 1});
  table.add("f_anogan.gan_meta_epochs", gan_meta_epochs,
            "meta-epochs of generator and critic; the encoder trains in the rest", {1, 100000});
  shared.describe(table, "f_anogan");
}

FAnoganReconstructor::FAnoganReconstructor(const FAnoganOptions& options, TrainableNet generator,
                                           TrainableNet critic, TrainableNet encoder)
    : options_(options),
      networks_(options),
      generator_(std::move(generator)),
      critic_(std::move(critic)),
      encoder_(std::move(encoder)) {}

void FAnoganReconstructor::begin_training() {
  generator_.begin_training();
  critic_.begin_training();
  encoder_.require_gradients(true);
  encoder_state_ = RmsPropState::of(encoder_.parameters());
}

FAnoganReconstructor::CriticLosses FAnoganReconstructor::critic_losses(const torch::Tensor& x,
                                                                       const torch::Tensor& generated,
                                                                       const torch::Tensor& alpha) const {
  CriticLosses out;
  out.real = networks_.criticise(critic_.net, x).value;
  out.fake = networks_.criticise(critic_.net, generated).value;
  const torch::Tensor between =
      (x + alpha.reshape({-1, 1, 1, 1}) * (generated - x)).detach().requires_grad_(true);
  const torch::Tensor value = networks_.criticise(critic_.net, between).value;
  // The penalty is itself a function of the weights: the slope keeps its graph.
  const torch::Tensor slope =
      torch::autograd::grad({value.sum()}, {between}, {}, /*retain_graph=*/true, /*create_graph=*/true)[0];
  out.slopes = slope.flatten(1).square().sum(1).sqrt();
  out.penalty = (out.slopes - 1).square().mean();
  out.total = out.fake.mean() - out.real.mean() + options_.penalty_weight * out.penalty;
  return out;
}

FAnoganReconstructor::EncoderLosses FAnoganReconstructor::encoder_losses(const torch::Tensor& x,
                                                                         bool training) const {
  const torch::Tensor y = generate(encode(x, training), false);
  EncoderLosses out;
  out.image = (x - y).square().mean();
  out.features = (features(x) - features(y)).square().mean();
  out.total = out.image + options_.feature_weight * out.features;
  return out;
}

Readings FAnoganReconstructor::encoder_step(const torch::Tensor& x) {
  const EncoderLosses now = encoder_losses(x, true);
  const std::vector<torch::Tensor> parameters = encoder_.parameters();
  rmsprop_step(encoder_state_, {.learning_rate = options_.encoder_learning_rate}, parameters,
               gradients_of(now.total, parameters));
  return {{kLoss, now.total.item<double>()},
          {"image_loss", now.image.item<double>()},
          {"feature_loss", now.features.item<double>()}};
}

Readings FAnoganReconstructor::step(const torch::Tensor& x, const LoopStep& at, std::uint64_t seed) {
  encoding_ = at.meta_epoch >= options_.gan_meta_epochs;
  if (encoding_) return encoder_step(x);
  const std::int64_t n = x.size(0);
  const auto noise = [&](std::uint64_t key) {
    return noise_like(torch::empty({n, options_.latent}), 1, derive_seed(seed, key));
  };
  AdamOptions adam = kWassersteinAdam;
  adam.learning_rate = options_.learning_rate;
  const torch::Tensor generated = [&] {
    const torch::NoGradGuard no_grad;
    return generate(noise(0), true);
  }();
  const CriticLosses now = critic_losses(x, generated, uniform_shares(n, derive_seed(seed, 1)));
  critic_.update(adam, critic_.gradients(now.total));
  if ((at.global + 1) % options_.critic_steps == 0) {
    const torch::Tensor loss = -networks_.criticise(critic_.net, generate(noise(2), true)).value.mean();
    generator_.update(adam, generator_.gradients(loss));
  }
  return {{kLoss, now.total.item<double>()},
          {"critic_real", now.real.mean().item<double>()},
          {"critic_fake", now.fake.mean().item<double>()},
          {"penalty", now.penalty.item<double>()}};
}

Reconstruction FAnoganReconstructor::reconstruct(const torch::Tensor& x) const {
  const torch::Tensor y = generate(encode(x, false), false);
  return {y, (x - y).square().flatten(1).mean(1) +
                 options_.feature_weight * (features(x) - features(y)).square().mean(1)};
}

torch::Tensor FAnoganReconstructor::error(const torch::Tensor& x, const torch::Tensor& y) const {
  return absolute_error(x, y);
}

TensorDict FAnoganReconstructor::weights() const {
  TensorDict out = generator_.net.to_dict(kFAnoganGenerator);
  out.merge(critic_.net.to_dict(kFAnoganCritic));
  out.merge(encoder_.to_dict(kFAnoganEncoder));
  return out;
}

void FAnoganReconstructor::save_training(TensorDict& state) const {
  generator_.save_adam(state, "generator");
  critic_.save_adam(state, "critic");
  encoder_state_.save(state, kFAnoganRmsProp);
}

void FAnoganReconstructor::load_training(const TensorDict& state, const std::string& file) {
  generator_.load_adam(state, "generator", file);
  critic_.load_adam(state, "critic", file);
  encoder_state_.load(state, kFAnoganRmsProp, file);
}

void FAnoganReconstructor::use_bfloat16(bool on) {
  generator_.net.use_bfloat16(on);
  encoder_.use_bfloat16(on);
}

std::unique_ptr<Method> make_f_anogan() {
  return std::make_unique<FAnogan>();
}

}  // namespace glint
