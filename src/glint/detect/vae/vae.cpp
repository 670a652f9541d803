#include "glint/detect/vae/vae.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"
#include "glint/detect/reconstruction/conv_autoencoder.h"
#include "glint/detect/seeded_tensors.h"
#include "glint/detect/ssim.h"
#include "glint/nn/adam.h"

namespace glint {
namespace {

constexpr const char* kVaeAdam = "adam.vae.";
constexpr int kVaeShortPasses = 10, kVaeShortBatch = 16;  // docs/recipes.md

class VaeReconstructor : public Reconstructor {
 public:
  VaeReconstructor(const VaeOptions& options, TrainableNet net)
      : options_(options),
        body_(autoencoder_body(options.shared.window)),
        decoder_(autoencoder_decoder(options.shared.window, options.latent)),
        net_(std::move(net)) {}

  void begin_training() override {
    net_.require_gradients(true);
    adam_ = AdamState::of(net_.parameters());
  }

  static NetLayout layout(const VaeOptions& options) {
    NetLayout layout;
    autoencoder_body(options.shared.window).describe(layout);
    ConvChain()
        .add(latent_head("mu", options.latent))
        .add(latent_head("log_variance", options.latent))
        .describe(layout);
    autoencoder_decoder(options.shared.window, options.latent).describe(layout);
    return layout;
  }

  Readings step(const torch::Tensor& x, const LoopStep&, std::uint64_t seed) override {
    const Code code = encode(x);
    const torch::Tensor z = vae_sample(code.mu, code.log_variance, noise_like(code.mu.detach(), 1, seed));
    const torch::Tensor reconstruction = vae_reconstruction(x, decode(z), options_.loss).mean(),
                        divergence = vae_divergence(code.mu, code.log_variance).mean();
    const torch::Tensor loss = reconstruction + options_.beta * divergence;
    const std::vector<torch::Tensor> parameters = net_.parameters();
    adam_step(adam_, {options_.learning_rate}, parameters, gradients_of(loss, parameters));
    return {{kLoss, loss.item<double>()},
            {"reconstruction_loss", reconstruction.item<double>()},
            {"divergence", divergence.item<double>()}};
  }

  /// From the code's mean. The score is the loss of the picture.
  Reconstruction reconstruct(const torch::Tensor& x) const override {
    const Code code = encode(x);
    const torch::Tensor y = decode(code.mu);
    return {y, vae_reconstruction(x, y, options_.loss) +
                   options_.beta * vae_divergence(code.mu, code.log_variance)};
  }
  torch::Tensor error(const torch::Tensor& x, const torch::Tensor& y) const override {
    return options_.loss == ReconstructionLoss::kL2 ? absolute_error(x, y) : error_map(x, y, options_.loss);
  }

  TensorDict weights() const override { return net_.to_dict(); }
  void save_training(TensorDict& state) const override { adam_.save(state, kVaeAdam); }
  void load_training(const TensorDict& state, const std::string& file) override {
    adam_.load(state, kVaeAdam, file);
  }
  void use_bfloat16(bool on) override { net_.use_bfloat16(on); }

 private:
  struct Code {
    torch::Tensor mu, log_variance;  ///< [B, latent] float32
  };
  Code encode(const torch::Tensor& x) const {
    const torch::Tensor features = body_.run(net_, x, false);
    const auto head = [&](const char* name) {
      return net_.conv(features, name).to(torch::kFloat).flatten(1);
    };
    return {head("mu"), head("log_variance")};
  }
  torch::Tensor decode(const torch::Tensor& z) const {
    return decoder_.run(net_, z.unsqueeze(2).unsqueeze(3), false);
  }

  VaeOptions options_;
  ConvChain body_, decoder_;
  TrainableNet net_;
  AdamState adam_;
};

class Vae : public ReconstructionMethod {
 public:
  std::string_view name() const override { return "vae"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    if (recipe != Recipe::kBaseline) {
      options_.shared.batch = kVaeShortBatch;
      options_.shared.passes = kVaeShortPasses;
    }
    RecipeDefaults defaults;
    defaults.input.size = options_.shared.window;
    return defaults;
  }

  void validate(const BackboneSpec& backbone, const InputOptions& input) const override {
    check_autoencoder_window(name(), options_.shared.window);
    ReconstructionMethod::validate(backbone, input);
  }

  FitSize fit_size(const BackboneSpec&, std::int64_t, int) const override {
    const std::int64_t bytes = VaeReconstructor::layout(options_).bytes();
    return {bytes, 3 * bytes, options_.shared.meta_epochs};
  }

 protected:
  const ReconstructionOptions& shared() const override { return options_.shared; }
  PixelForm pixels() const override { return {}; }
  std::unique_ptr<Reconstructor> initial(std::uint64_t seed) const override {
    return std::make_unique<VaeReconstructor>(
        options_,
        TrainableNet::initial(VaeReconstructor::layout(options_), InitialWeights::kTorch, seed, "vae.init"));
  }
  std::unique_ptr<Reconstructor> from_dict(const TensorDict& weights,
                                           const std::string& file) const override {
    return std::make_unique<VaeReconstructor>(
        options_, TrainableNet::from_dict(VaeReconstructor::layout(options_), weights, file));
  }
  std::string published_length() const override {
    return "none for inspection; the autoencoder's is taken, 6,250 passes over 320 images in batches of 128";
  }
  void describe_record(TrainingRecord& record) const override {
    record.readings["divergence"] = "divergence of the code from the standard normal";
    record.curves = {
        {"Losses: all, reconstruction, divergence", {kLoss, "reconstruction_loss", "divergence"}}};
  }

 private:
  VaeOptions options_;
};

}  // namespace

void VaeOptions::describe(OptionTable& table) {
  table.add("vae.loss", loss, "what training lowers and the map shows");
  table.add("vae.latent", latent, "numbers of the code", {1, 4096});
  table.add("vae.beta", beta, "weight of the divergence beside the sum over all pixels", {0, 1e6});
  table.add("vae.learning_rate", learning_rate, "Adam's step size", {0, 1});
  shared.describe(table, "vae");
}

torch::Tensor vae_sample(const torch::Tensor& mu, const torch::Tensor& log_variance,
                         const torch::Tensor& epsilon) {
  return mu + (log_variance / 2).exp() * epsilon;
}

torch::Tensor vae_divergence(const torch::Tensor& mu, const torch::Tensor& log_variance) {
  return (mu.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2;
}

torch::Tensor vae_reconstruction(const torch::Tensor& x, const torch::Tensor& y, ReconstructionLoss loss) {
  if (loss == ReconstructionLoss::kL2) return (x - y).square().flatten(1).sum(1);
  return ssim_loss(y, x) * static_cast<double>(x.numel() / x.size(0));
}

std::unique_ptr<Method> make_vae() {
  return std::make_unique<Vae>();
}

}  // namespace glint
