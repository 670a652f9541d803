// RMSProp as TensorFlow 1 has it, for lists of float32 parameters on the CPU, and its resumable state.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "glint/nn/tensor_dict.h"

namespace glint {

struct RmsPropState {
  std::vector<torch::Tensor> square;  ///< running mean of the squared gradients

  /// Ones, as before the first step (torch begins with zeros).
  static RmsPropState of(const std::vector<torch::Tensor>& parameters);
  /// As <prefix>square0, ...
  void save(TensorDict& tensors, const std::string& prefix) const;
  /// Into the shapes that the state has; Error(kBadInput) names `file`.
  void load(const TensorDict& tensors, const std::string& prefix, const std::string& file);
};

struct RmsPropOptions {
  double learning_rate = 5e-5, decay = 0.9;
  double eps = 1e-10;  ///< inside the root
};

/// square = decay square + (1 - decay) g^2, p -= rate g / sqrt(square + eps). Equal shapes.
void rmsprop_step(RmsPropState& state, const RmsPropOptions& options,
                  const std::vector<torch::Tensor>& parameters, const std::vector<torch::Tensor>& gradients);

}  // namespace glint
