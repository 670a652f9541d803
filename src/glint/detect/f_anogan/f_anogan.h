// f-AnoGAN (Schlegl et al., Medical Image Analysis 2019): a generator of good parts trained as a Wasserstein
// GAN with gradient penalty, then an encoder that finds a part's code at once, where AnoGAN searches.
#pragma once

#include <torch/types.h>

#include <memory>
#include <vector>

#include "glint/base/options.h"
#include "glint/detect/detector.h"
#include "glint/detect/f_anogan/residual_block.h"
#include "glint/detect/reconstruction/adversary.h"
#include "glint/detect/reconstruction/reconstruction.h"
#include "glint/nn/rmsprop.h"

namespace glint {

enum class PictureColour { kGrey, kRgb };
template <>
struct EnumNames<PictureColour> {
  static constexpr std::pair<PictureColour, std::string_view> table[] = {{PictureColour::kGrey, "grey"},
                                                                         {PictureColour::kRgb, "rgb"}};
};

struct FAnoganOptions {
  PictureColour colour = PictureColour::kGrey;
  int latent = 128, width = 64;  ///< numbers of the code; channels at the finest level
  double penalty_weight = 10, feature_weight = 1;
  int critic_steps = 5;  ///< for each of the generator
  double learning_rate = 1e-4, encoder_learning_rate = 5e-5;
  int gan_meta_epochs = 20;  ///< the first ones; the encoder trains in the rest
  ReconstructionOptions shared{.window = 64, .stride = 32, .batch = 64, .meta_epochs = 40, .passes = 500};

  std::int64_t channels() const { return colour == PictureColour::kGrey ? 1 : 3; }
  void describe(OptionTable& table);
};

/// Critic and encoder have one shape: 3x3, four halving blocks, a linear layer.
class FAnoganNetworks {
 public:
  explicit FAnoganNetworks(const FAnoganOptions& options);
  NetLayout generator_layout() const;
  NetLayout critic_layout() const;
  NetLayout encoder_layout() const;

  /// [B, latent] -> [B, C, s, s] in [-1, 1].
  torch::Tensor generate(const TrainableNet& net, const torch::Tensor& code, bool training) const;
  struct Criticism {
    torch::Tensor features, value;  ///< [B, 8 width cells], [B]
  };
  Criticism criticise(const TrainableNet& net, const torch::Tensor& x) const;
  /// [B, latent] in [-1, 1].
  torch::Tensor encode(const TrainableNet& net, const torch::Tensor& x, bool training) const;

 private:
  NetLayout downward_layout(const std::vector<ResidualBlock>& blocks, std::int64_t out) const;
  torch::Tensor downward(const std::vector<ResidualBlock>& blocks, const TrainableNet& net,
                         const torch::Tensor& x, bool training) const;

  std::int64_t channels_, latent_, width_, cells_;  ///< cells: of the coarsest level, a side
  std::vector<ResidualBlock> generator_, critic_, encoder_;
};

class FAnoganReconstructor : public Reconstructor {
 public:
  FAnoganReconstructor(const FAnoganOptions& options, TrainableNet generator, TrainableNet critic,
                       TrainableNet encoder);

  struct CriticLosses {
    torch::Tensor real, fake, slopes, penalty, total;  ///< [B] three times; mean (slope - 1)^2; loss
  };
  /// `alpha` [B]: where between picture and generated one the slope is taken.
  CriticLosses critic_losses(const torch::Tensor& x, const torch::Tensor& generated,
                             const torch::Tensor& alpha) const;
  torch::Tensor generate(const torch::Tensor& code, bool training) const {
    return networks_.generate(generator_.net, code, training);
  }
  torch::Tensor encode(const torch::Tensor& x, bool training) const {
    return networks_.encode(encoder_, x, training);
  }
  torch::Tensor features(const torch::Tensor& x) const {
    return networks_.criticise(critic_.net, x).features;
  }
  struct EncoderLosses {
    torch::Tensor image, features, total;
  };
  /// Generator and critic in evaluation mode.
  EncoderLosses encoder_losses(const torch::Tensor& x, bool training) const;
  Readings encoder_step(const torch::Tensor& x);
  Adversary& critic() { return critic_; }
  TrainableNet& encoder() { return encoder_; }

  void begin_training() override;
  Readings step(const torch::Tensor& x, const LoopStep& at, std::uint64_t seed) override;
  Reconstruction reconstruct(const torch::Tensor& x) const override;
  torch::Tensor error(const torch::Tensor& x, const torch::Tensor& y) const override;
  bool can_track() const override { return encoding_; }
  /// generator.*, critic.* and encoder.*.
  TensorDict weights() const override;
  void save_training(TensorDict& state) const override;
  void load_training(const TensorDict& state, const std::string& file) override;
  /// Not the critic, whose slopes want finer numbers.
  void use_bfloat16(bool on) override;

 private:
  FAnoganOptions options_;
  FAnoganNetworks networks_;
  Adversary generator_, critic_;
  TrainableNet encoder_;
  RmsPropState encoder_state_;
  bool encoding_ = false;
};

std::unique_ptr<Method> make_f_anogan();

}  // namespace glint
