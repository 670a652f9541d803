// Skip-GANomaly (Akcay, Atapour-Abarghouei and Breckon, IJCNN 2019): a U-Net that gives parts back, and a
// discriminator whose features judge what it gave.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "glint/base/options.h"
#include "glint/detect/conv_chain.h"
#include "glint/detect/detector.h"
#include "glint/detect/reconstruction/adversary.h"
#include "glint/detect/reconstruction/reconstruction.h"

namespace glint {

/// What the discriminator trains for: telling real from given back (plain), and also features that agree on
/// both (latent, as published).
enum class SkipDiscriminatorLoss { kLatent, kPlain };
template <>
struct EnumNames<SkipDiscriminatorLoss> {
  static constexpr std::pair<SkipDiscriminatorLoss, std::string_view> table[] = {
      {SkipDiscriminatorLoss::kLatent, "latent"}, {SkipDiscriminatorLoss::kPlain, "plain"}};
};

struct SkipGanomalyOptions {
  int latent = 100, width = 64;  ///< numbers of the discriminator's features; channels behind the first layer
  double adversarial_weight = 1, reconstruction_weight = 50, latent_weight = 1;
  SkipDiscriminatorLoss discriminator_loss = SkipDiscriminatorLoss::kLatent;
  double score_share = 0.9;  ///< of the picture's error in the image score; the rest is the features'
  double learning_rate = 2e-4;
  ReconstructionOptions shared{.window = 32, .stride = 16, .batch = 64, .meta_epochs = 15, .passes = 1};

  void describe(OptionTable& table);
};

/// pix2pix's U-Net down to one cell, by its published names: each level lies inside the one above it.
class SkipGenerator {
 public:
  SkipGenerator(int window, std::int64_t colours, std::int64_t width);
  void describe(NetLayout& layout) const;
  /// [B, colours, window, window] in [-1, 1] -> the same.
  torch::Tensor run(const TrainableNet& net, const torch::Tensor& x, bool training) const;

 private:
  struct Level {
    std::string down, down_norm, up, up_norm;  ///< names; empty where there is no norm
    std::int64_t in, inner, up_in;  ///< channels that come in and go out again, below, into the way up
  };
  torch::Tensor below(const TrainableNet& net, const torch::Tensor& x, bool training,
                      std::size_t level) const;

  std::vector<Level> levels_;
};

class SkipGanomalyReconstructor : public AdversarialReconstructor {
 public:
  static NetLayout generator_layout(const SkipGanomalyOptions& options);
  static NetLayout discriminator_layout(const SkipGanomalyOptions& options);
  SkipGanomalyReconstructor(const SkipGanomalyOptions& options, TrainableNet generator,
                            TrainableNet discriminator);

  torch::Tensor generate(const torch::Tensor& x, bool training) const;
  struct Judged {
    torch::Tensor features, real;  ///< [B, latent]; [B] probability of a real picture
  };
  Judged discriminate(const torch::Tensor& x, bool training) const;

  struct Losses {
    torch::Tensor adversarial, reconstruction, features, generator;  ///< the last: weighted sum
    torch::Tensor real, fake, discriminator;
  };
  Losses losses(const torch::Tensor& x, bool training) const;

  Readings step(const torch::Tensor& x, const LoopStep& at, std::uint64_t seed) override;
  Reconstruction reconstruct(const torch::Tensor& x) const override;

 private:
  SkipGanomalyOptions options_;
  SkipGenerator unet_;
  ConvChain pyramid_;
};

std::unique_ptr<Method> make_skip_ganomaly();

}  // namespace glint
