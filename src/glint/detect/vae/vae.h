// Variational autoencoder (Kingma and Welling 2014) with the convolutions of Bergmann et al.'s: the code is a
// distribution, held near the standard normal.
#pragma once

#include <torch/types.h>

#include <memory>

#include "glint/detect/autoencoder/autoencoder.h"
#include "glint/detect/detector.h"

namespace glint {

struct VaeOptions {
  ReconstructionLoss loss = ReconstructionLoss::kL2;
  int latent = 100;
  double beta = 1;  ///< weight of the divergence beside a sum over all pixels and channels
  double learning_rate = 2e-4;
  ReconstructionOptions shared{.window = 128, .stride = 32, .batch = 128, .meta_epochs = 40, .passes = 157};

  void describe(OptionTable& table);
};

/// mu + sigma epsilon.
torch::Tensor vae_sample(const torch::Tensor& mu, const torch::Tensor& log_variance,
                         const torch::Tensor& epsilon);
/// Half the sum over the code of mu^2 + sigma^2 - 1 - ln sigma^2: [B].
torch::Tensor vae_divergence(const torch::Tensor& mu, const torch::Tensor& log_variance);
/// Squared error summed over pixels and channels, or 1 - mean SSIM times their number: [B].
torch::Tensor vae_reconstruction(const torch::Tensor& x, const torch::Tensor& y, ReconstructionLoss loss);

std::unique_ptr<Method> make_vae();

}  // namespace glint
