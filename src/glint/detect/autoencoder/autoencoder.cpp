#include "glint/detect/autoencoder/autoencoder.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"
#include "glint/detect/reconstruction/conv_autoencoder.h"
#include "glint/detect/ssim.h"
#include "glint/nn/adam.h"

namespace glint {
namespace {

constexpr const char* kAutoencoderAdam = "adam.autoencoder.";
/// The short recipe (docs/recipes.md).
constexpr int kAutoencoderShortPasses = 5, kAutoencoderShortBatch = 16;

class AutoencoderReconstructor : public Reconstructor {
 public:
  AutoencoderReconstructor(AutoencoderNetwork network, const AutoencoderOptions& options)
      : options_(options), network_(std::move(network)) {}

  void begin_training() override {
    network_.net().require_gradients(true);
    adam_ = AdamState::of(network_.net().parameters());
  }

  Readings step(const torch::Tensor& x, const LoopStep&, std::uint64_t) override {
    const torch::Tensor y = network_.decode(network_.encode(x));
    const torch::Tensor loss =
        options_.loss == ReconstructionLoss::kSsim ? ssim_loss(y, x).mean() : (x - y).square().mean();
    const std::vector<torch::Tensor> parameters = network_.net().parameters();
    adam_step(adam_, {options_.learning_rate, options_.weight_decay}, parameters,
              gradients_of(loss, parameters));
    return {{kLoss, loss.item<double>()}};
  }

  Reconstruction reconstruct(const torch::Tensor& x) const override {
    return {network_.decode(network_.encode(x)), {}};
  }
  torch::Tensor error(const torch::Tensor& x, const torch::Tensor& y) const override {
    return error_map(x, y, options_.loss);
  }

  TensorDict weights() const override { return network_.net().to_dict(); }
  void save_training(TensorDict& state) const override { adam_.save(state, kAutoencoderAdam); }
  void load_training(const TensorDict& state, const std::string& file) override {
    adam_.load(state, kAutoencoderAdam, file);
  }
  void use_bfloat16(bool on) override { network_.net().use_bfloat16(on); }

 private:
  AutoencoderOptions options_;
  AutoencoderNetwork network_;
  AdamState adam_;
};

class Autoencoder : public ReconstructionMethod {
 public:
  std::string_view name() const override { return "autoencoder"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  /// baseline: the published length and no smoothing. The others: short.
  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    RecipeDefaults defaults;
    defaults.input.size = options_.shared.window;
    if (recipe == Recipe::kBaseline) {
      defaults.scoring.smoothing_sigma = 0;
    } else {
      options_.shared.batch = kAutoencoderShortBatch;
      options_.shared.passes = kAutoencoderShortPasses;
    }
    return defaults;
  }

  void validate(const BackboneSpec& backbone, const InputOptions& input) const override {
    check_autoencoder_window(name(), options_.shared.window);
    ReconstructionMethod::validate(backbone, input);
  }

  FitSize fit_size(const BackboneSpec&, std::int64_t, int) const override {
    const std::int64_t bytes = AutoencoderNetwork::bytes(options_.shared.window, options_.latent);
    return {bytes, 3 * bytes, options_.shared.meta_epochs};
  }

 protected:
  const ReconstructionOptions& shared() const override { return options_.shared; }
  PixelForm pixels() const override { return {}; }
  std::unique_ptr<Reconstructor> initial(std::uint64_t seed) const override {
    return std::make_unique<AutoencoderReconstructor>(
        AutoencoderNetwork::initial(options_.shared.window, options_.latent, seed), options_);
  }
  std::unique_ptr<Reconstructor> from_dict(const TensorDict& weights,
                                           const std::string& file) const override {
    return std::make_unique<AutoencoderReconstructor>(
        AutoencoderNetwork::from_dict(weights, options_.shared.window, options_.latent, file), options_);
  }
  std::string published_length() const override {
    return "200 passes over 10,000 windows in batches of 128, which are 6,250 passes over 320 images";
  }
  void describe_record(TrainingRecord& record) const override { record.curves = {{"Loss", {kLoss}}}; }

 private:
  AutoencoderOptions options_;
};

}  // namespace

torch::Tensor error_map(const torch::Tensor& pictures, const torch::Tensor& reconstruction,
                        ReconstructionLoss loss) {
  if (loss == ReconstructionLoss::kL2) return squared_error(pictures, reconstruction);
  return 1 - ssim_map(pictures, reconstruction, {.border = SsimBorder::kMirrored}).mean(1);
}

void AutoencoderOptions::describe(OptionTable& table) {
  table.add("autoencoder.loss", loss, "what training lowers and the map shows");
  table.add("autoencoder.latent", latent, "numbers of the code (published: 100; 500 with a window of 256)",
            {1, 4096});
  table.add("autoencoder.learning_rate", learning_rate, "Adam's step size", {0, 1});
  table.add("autoencoder.weight_decay", weight_decay, "coupled weight decay", {0, 1});
  shared.describe(table, "autoencoder");
}

AutoencoderNetwork::AutoencoderNetwork(int window, int latent)
    : encoder_(autoencoder_body(window)), decoder_(autoencoder_decoder(window, latent)) {
  encoder_.add(latent_head(latent_head_name(window), latent));
}

NetLayout AutoencoderNetwork::layout() const {
  NetLayout layout;
  encoder_.describe(layout);
  decoder_.describe(layout);
  return layout;
}

AutoencoderNetwork AutoencoderNetwork::initial(int window, int latent, std::uint64_t seed) {
  AutoencoderNetwork out(window, latent);
  out.net_ = TrainableNet::initial(out.layout(), InitialWeights::kTorch, seed, "autoencoder.init");
  return out;
}

AutoencoderNetwork AutoencoderNetwork::from_dict(const TensorDict& tensors, int window, int latent,
                                                 const std::string& file) {
  AutoencoderNetwork out(window, latent);
  out.net_ = TrainableNet::from_dict(out.layout(), tensors, file);
  return out;
}

std::int64_t AutoencoderNetwork::bytes(int window, int latent) {
  return AutoencoderNetwork(window, latent).layout().bytes();
}

torch::Tensor AutoencoderNetwork::encode(const torch::Tensor& x) const {
  return encoder_.run(net_, x, false);
}

torch::Tensor AutoencoderNetwork::decode(const torch::Tensor& code) const {
  return decoder_.run(net_, code, false);
}

std::unique_ptr<Method> make_autoencoder() {
  return std::make_unique<Autoencoder>();
}

}  // namespace glint
