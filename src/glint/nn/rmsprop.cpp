#include "glint/nn/rmsprop.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"
#include "glint/nn/tensors.h"

namespace glint {

RmsPropState RmsPropState::of(const std::vector<torch::Tensor>& parameters) {
  RmsPropState state;
  for (const torch::Tensor& p : parameters) state.square.push_back(torch::ones(p.sizes()));
  return state;
}

void RmsPropState::save(TensorDict& tensors, const std::string& prefix) const {
  for (std::size_t i = 0; i < square.size(); ++i)
    tensors[fmt::format("{}square{}", prefix, i)] = to_host(square[i]);
}

void RmsPropState::load(const TensorDict& tensors, const std::string& prefix, const std::string& file) {
  for (std::size_t i = 0; i < square.size(); ++i) {
    square[i].copy_(to_tensor(
        require_tensor(tensors, fmt::format("{}square{}", prefix, i), square[i].sizes().vec(), file)));
  }
}

void rmsprop_step(RmsPropState& state, const RmsPropOptions& options,
                  const std::vector<torch::Tensor>& parameters, const std::vector<torch::Tensor>& gradients) {
  GLINT_CHECK(parameters.size() == state.square.size() && gradients.size() == parameters.size());
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    state.square[i].mul_(options.decay).addcmul_(gradients[i], gradients[i], 1 - options.decay);
    torch::Tensor parameter = parameters[i];
    parameter.addcdiv_(gradients[i], (state.square[i] + options.eps).sqrt_(), -options.learning_rate);
  }
}

}  // namespace glint
