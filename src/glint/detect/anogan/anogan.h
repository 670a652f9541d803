// AnoGAN (Schlegl et al., IPMI 2017) on DCGAN: a generator of good parts, and for each part that is judged a
// search for the code that comes nearest. Hundreds of passes through both networks a part: for study, not for
// a line.
#pragma once

#include <torch/types.h>

#include <memory>

#include "glint/detect/conv_chain.h"
#include "glint/detect/detector.h"
#include "glint/detect/reconstruction/adversary.h"
#include "glint/detect/reconstruction/reconstruction.h"

namespace glint {

struct AnoganOptions {
  int latent = 100, width = 64;  ///< numbers of the code; channels at the finest level
  double learning_rate = 2e-4;
  int generator_steps = 2;  ///< for each of the discriminator
  int search_steps = 500, restarts = 1;
  double search_learning_rate = 0.01;
  double feature_share = 0.1;  ///< of the discriminator's features in what the search lowers
  ReconstructionOptions shared{.window = 64, .stride = 32, .batch = 64, .meta_epochs = 40, .passes = 10};

  void describe(OptionTable& table);
};

class AnoganReconstructor : public AdversarialReconstructor {
 public:
  static NetLayout generator_layout(const AnoganOptions& options);
  static NetLayout discriminator_layout(const AnoganOptions& options);
  AnoganReconstructor(const AnoganOptions& options, TrainableNet generator, TrainableNet discriminator);

  /// [B, latent] -> [B, 3, s, s] in [-1, 1].
  torch::Tensor generate(const torch::Tensor& code, bool training) const;
  struct Judged {
    torch::Tensor features, real;  ///< [B, 8 width cells]; [B] logit of a real picture
  };
  Judged discriminate(const torch::Tensor& x, bool training) const;
  /// What the search lowers, of each picture: (1 - s) sum |x - y| + s sum |f(x) - f(y)|, s the feature share.
  torch::Tensor search_loss(const torch::Tensor& x, const torch::Tensor& features_of_x,
                            const torch::Tensor& y) const;

  Readings step(const torch::Tensor& x, const LoopStep& at, std::uint64_t seed) override;
  /// Searches from codes that are the same for every picture.
  Reconstruction reconstruct(const torch::Tensor& x) const override;
  bool can_track() const override { return false; }

 private:
  AnoganOptions options_;
  ConvChain up_, down_;
};

std::unique_ptr<Method> make_anogan();

}  // namespace glint
