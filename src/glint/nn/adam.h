// Adam and the clipping of gradients, for trainings that compute their gradients themselves.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace glint {

/// One optimiser's state for a list of parameters.
struct AdamState {
  std::vector<torch::Tensor> m, v;
  std::int64_t step = 0;
};

struct AdamOptions {
  double learning_rate = 1e-4, weight_decay = 0;
  bool decoupled = false;  ///< AdamW
};

/// One step of Adam (Kingma and Ba 2015) with coupled decay, or of AdamW (Loshchilov and Hutter 2019); betas
/// and eps of torch. Changes the parameters in place: contiguous float32 on the CPU, as the gradients.
void adam(AdamState& state, const AdamOptions& options, const std::vector<torch::Tensor>& parameters,
          const std::vector<torch::Tensor*>& gradients);

/// Scales the gradients so that their joint norm is at most `limit` (torch's clip_grad_norm_, with its 1e-6);
/// 0 = no limit. Returns the norm before.
double clip_gradients(const std::vector<torch::Tensor*>& gradients, double limit);

}  // namespace glint
