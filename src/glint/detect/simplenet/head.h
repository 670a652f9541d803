// Adapter and discriminator of SimpleNet: weights, the training step, the scores. Two paths compute the same
// step: a plain one through autograd, and a fast one with hand-written gradients that shares products between
// real and fake features and may use bfloat16 products. Not the training loop: simplenet/simplenet.cpp.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "glint/detect/simplenet/options.h"
#include "glint/detect/simplenet/score_loss.h"
#include "glint/nn/adam.h"
#include "glint/nn/tensor_dict.h"
#include "glint/nn/tensors.h"

namespace glint {

/// Parameters in the published code's order and names. D = embedding, H = hidden dimension. All float32.
struct HeadWeights {
  torch::Tensor adapter_weight, adapter_bias;         ///< [D, D], [D]
  torch::Tensor hidden_weight, hidden_bias;           ///< [H, D], [H]
  torch::Tensor norm_weight, norm_bias;               ///< [H]
  torch::Tensor norm_running_mean, norm_running_var;  ///< [H]
  torch::Tensor tail_weight;                          ///< [1, H]
  std::int64_t batches_tracked = 0;

  std::int64_t dimension() const { return adapter_weight.size(0); }
  std::int64_t hidden() const { return hidden_weight.size(0); }
  /// The published initialisation: Xavier-normal weights, default linear biases.
  static HeadWeights initial(int dimension, int hidden, std::uint64_t seed);
  TensorDict to_dict() const;
  /// Error(kBadInput) naming `file` and the tensor that is missing, has the wrong shape, is empty, is not
  /// finite, or is a negative variance.
  static HeadWeights from_dict(const TensorDict& tensors, const std::string& file);
  HeadWeights clone() const;
};

struct StepResult {
  double loss = 0;
  double real_margin_accuracy = 0;  ///< share of good features scored >= margin (published: p_true)
  double fake_margin_accuracy = 0;  ///< share of fake features scored < -margin (published: p_fake)
  double adapter_grad_norm = 0, discriminator_grad_norm = 0;  ///< before clipping
};

struct HeadGradients {
  torch::Tensor adapter_weight, adapter_bias, hidden_weight, hidden_bias, norm_weight, norm_bias, tail_weight;
};

/// The altered copies of N adapted features q (negatives.h).
struct Fakes {
  torch::Tensor offset;               ///< [N, D]; the copy is q + offset
  std::vector<std::uint8_t> is_fake;  ///< 0 where the copy counts as good; empty = all are fakes
};

/// Loss and gradients of one step: z [N, D] features and their fakes, in one type. Updates the running
/// statistics. Products in the type of `z` (float32 or bfloat16); sums and gradients in float32.
StepResult fast_gradients(HeadWeights& head, const torch::Tensor& z, const Fakes& fakes,
                          const LossOptions& loss, HeadGradients& gradients);
/// The same through autograd, float32.
StepResult plain_gradients(HeadWeights& head, const torch::Tensor& z, const Fakes& fakes,
                           const LossOptions& options, HeadGradients& gradients);

/// Clips, then updates adapter and discriminator, with `rate` times their step sizes.
class HeadOptimizer {
 public:
  HeadOptimizer(const SimpleNetOptions& options, const HeadWeights& head);
  void step(HeadWeights& head, HeadGradients& gradients, StepResult& result, double rate = 1);
  void save(TensorDict& tensors) const;
  void load(const TensorDict& tensors, const std::string& file);

 private:
  SimpleNetOptions options_;
  AdamState adapter_, discriminator_;
};

/// Discriminator output D (high = normal) for already adapted features q [N, D]; running statistics. [N]
torch::Tensor discriminate(const HeadWeights& head, const torch::Tensor& q);
torch::Tensor adapt(const HeadWeights& head, const torch::Tensor& z);

/// Adapter, hidden layer and batch norm (running statistics) as one linear map: hidden = weight * z + bias.
struct FoldedHead {
  torch::Tensor weight;  ///< [H, D]
  torch::Tensor bias;    ///< [H]
  torch::Tensor tail;    ///< [H]
};
FoldedHead fold_head(const HeadWeights& head);

inline constexpr double kLeakySlope = 0.2;         // published code
inline constexpr double kHeadBatchNormEps = 1e-5;  // BatchNorm1d's default
inline constexpr double kHeadBatchNormMomentum = 0.1;

}  // namespace glint
