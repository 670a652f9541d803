// Stochastic gradient descent with momentum for lists of float32 parameters on the CPU, and its resumable
// state.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "glint/nn/tensor_dict.h"

namespace glint {

struct SgdState {
  std::vector<torch::Tensor> velocity;
  bool moving = false;  ///< after the first step, whose velocity is the gradient itself (torch)

  /// Zeros, as before the first step.
  static SgdState of(const std::vector<torch::Tensor>& parameters);
  /// As <prefix>velocity0, ..., <prefix>moving.
  void save(TensorDict& tensors, const std::string& prefix) const;
  /// Into the shapes that the state has; Error(kBadInput) names `file`.
  void load(const TensorDict& tensors, const std::string& prefix, const std::string& file);
};

struct SgdOptions {
  double learning_rate = 0.1, momentum = 0, weight_decay = 0;
};

/// torch's SGD: g + decay * p, velocity = momentum * velocity + that, p -= rate * velocity. Equal shapes.
void sgd_step(SgdState& state, const SgdOptions& options, const std::vector<torch::Tensor>& parameters,
              const std::vector<torch::Tensor>& gradients);

}  // namespace glint
