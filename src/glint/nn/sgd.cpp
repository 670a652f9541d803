#include "glint/nn/sgd.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"
#include "glint/nn/tensors.h"

namespace glint {

SgdState SgdState::of(const std::vector<torch::Tensor>& parameters) {
  SgdState state;
  for (const torch::Tensor& p : parameters) state.velocity.push_back(torch::zeros(p.sizes()));
  return state;
}

void SgdState::save(TensorDict& tensors, const std::string& prefix) const {
  for (std::size_t i = 0; i < velocity.size(); ++i)
    tensors[fmt::format("{}velocity{}", prefix, i)] = to_host(velocity[i]);
  tensors[prefix + "moving"] = to_host(torch::tensor({moving ? 1 : 0}, torch::kLong));
}

void SgdState::load(const TensorDict& tensors, const std::string& prefix, const std::string& file) {
  for (std::size_t i = 0; i < velocity.size(); ++i) {
    velocity[i].copy_(to_tensor(
        require_tensor(tensors, fmt::format("{}velocity{}", prefix, i), velocity[i].sizes().vec(), file)));
  }
  moving = to_tensor(require_tensor(tensors, prefix + "moving", {1}, file)).item<std::int64_t>() != 0;
}

void sgd_step(SgdState& state, const SgdOptions& options, const std::vector<torch::Tensor>& parameters,
              const std::vector<torch::Tensor>& gradients) {
  GLINT_CHECK(parameters.size() == state.velocity.size() && gradients.size() == parameters.size());
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    torch::Tensor gradient = gradients[i];
    if (options.weight_decay != 0) gradient = gradient.add(parameters[i], options.weight_decay);
    if (state.moving) {
      state.velocity[i].mul_(options.momentum).add_(gradient);
    } else {
      state.velocity[i].copy_(gradient);
    }
    torch::Tensor parameter = parameters[i];
    parameter.add_(state.velocity[i], -options.learning_rate);
  }
  state.moving = true;
}

}  // namespace glint
