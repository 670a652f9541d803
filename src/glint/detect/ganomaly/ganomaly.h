// GANomaly (Akcay, Atapour-Abarghouei and Breckon, ACCV 2018): encoder, decoder, encoder. A part is judged by
// how far the code of its reconstruction lies from its own.
#pragma once

#include <torch/types.h>

#include <memory>

#include "glint/detect/conv_chain.h"
#include "glint/detect/detector.h"
#include "glint/detect/reconstruction/adversary.h"
#include "glint/detect/reconstruction/reconstruction.h"

namespace glint {

struct GanomalyOptions {
  int latent = 100, width = 64;  ///< numbers of the code; channels behind the first layer
  double adversarial_weight = 1, reconstruction_weight = 50, latent_weight = 1;
  double learning_rate = 2e-4;
  ReconstructionOptions shared{.window = 32, .stride = 16, .batch = 64, .meta_epochs = 15, .passes = 1};

  void describe(OptionTable& table);
};

class GanomalyReconstructor : public AdversarialReconstructor {
 public:
  static NetLayout generator_layout(const GanomalyOptions& options);
  static NetLayout discriminator_layout(const GanomalyOptions& options);
  GanomalyReconstructor(const GanomalyOptions& options, TrainableNet generator, TrainableNet discriminator);

  struct Generated {
    torch::Tensor image, latent, latent_again;  ///< [B, 3, s, s], [B, latent] twice
  };
  Generated generate(const torch::Tensor& x, bool training) const;
  struct Judged {
    torch::Tensor features, real;  ///< [B, C, 4, 4] before the last layer; [B] probability of a real picture
  };
  Judged discriminate(const torch::Tensor& x, bool training) const;

  struct Losses {
    torch::Tensor features, reconstruction, latent, generator;  ///< adversarial, L1, code, weighted sum
    torch::Tensor real, fake, discriminator;                    ///< cross-entropies, half their sum
  };
  Losses losses(const torch::Tensor& x, bool training) const;

  Readings step(const torch::Tensor& x, const LoopStep& at, std::uint64_t seed) override;
  Reconstruction reconstruct(const torch::Tensor& x) const override;
  TensorDict weights() const override { return generator_.net.to_dict(); }
  void save_training(TensorDict& state) const override;

 private:
  GanomalyOptions options_;
  ConvChain encoder1_, decoder_, encoder2_, pyramid_;
};

std::unique_ptr<Method> make_ganomaly();

}  // namespace glint
