// Adam and AdamW for lists of float32 parameters on the CPU, their resumable state, and the clipping of
// gradients, for trainings that compute their gradients themselves. Not StableAdamW,
// which INP-Former needs: detect/inp_former/optimizer.h.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "glint/nn/tensor_dict.h"

namespace glint {

/// One optimiser's state for a list of parameters.
struct AdamState {
  std::vector<torch::Tensor> m, v;
  std::int64_t step = 0;

  /// Zeros, as before the first step.
  static AdamState of(const std::vector<torch::Tensor>& parameters);
  /// As <prefix>m0, <prefix>v0, ..., <prefix>step.
  void save(TensorDict& tensors, const std::string& prefix) const;
  /// Into the shapes that the state has; Error(kBadInput) names `file`.
  void load(const TensorDict& tensors, const std::string& prefix, const std::string& file);
};

struct AdamOptions {
  double learning_rate = 1e-4, weight_decay = 0;
  bool decoupled = false;  ///< AdamW
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
};

/// Adam (Kingma and Ba 2015) with coupled decay, or AdamW (Loshchilov and Hutter 2019). Parameters and
/// gradients: contiguous float32 of equal shapes.
void adam_step(AdamState& state, const AdamOptions& options, const std::vector<torch::Tensor>& parameters,
               const std::vector<torch::Tensor>& gradients);

/// Scales the gradients so that their joint norm is at most `limit` (torch's clip_grad_norm_, with its 1e-6);
/// 0 = no limit. Returns the norm before.
double clip_gradients(const std::vector<torch::Tensor>& gradients, double limit);

}  // namespace glint
