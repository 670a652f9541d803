#include "glint/nn/adam.h"

#include <ATen/ATen.h>

#include <cmath>

#include "glint/base/error.h"
#include "glint/nn/tensors.h"

namespace glint {

AdamState AdamState::of(const std::vector<torch::Tensor>& parameters) {
  AdamState state;
  for (const torch::Tensor& p : parameters) {
    state.m.push_back(torch::zeros(p.sizes()));
    state.v.push_back(torch::zeros(p.sizes()));
  }
  return state;
}

void AdamState::save(TensorDict& tensors, const std::string& prefix) const {
  for (std::size_t i = 0; i < m.size(); ++i) {
    tensors[fmt::format("{}m{}", prefix, i)] = to_host(m[i]);
    tensors[fmt::format("{}v{}", prefix, i)] = to_host(v[i]);
  }
  tensors[prefix + "step"] = to_host(torch::tensor({step}, torch::kLong));
}

void AdamState::load(const TensorDict& tensors, const std::string& prefix, const std::string& file) {
  for (std::size_t i = 0; i < m.size(); ++i) {
    m[i].copy_(to_tensor(require_tensor(tensors, fmt::format("{}m{}", prefix, i), m[i].sizes().vec(), file)));
    v[i].copy_(to_tensor(require_tensor(tensors, fmt::format("{}v{}", prefix, i), v[i].sizes().vec(), file)));
  }
  step = to_tensor(require_tensor(tensors, prefix + "step", {1}, file)).item<std::int64_t>();
  if (step < 0) fail(ErrorCode::kBadInput, "{}: '{}step' = {} is no number of steps", file, prefix, step);
}

void adam_step(AdamState& state, const AdamOptions& options, const std::vector<torch::Tensor>& parameters,
               const std::vector<torch::Tensor>& gradients) {
  GLINT_CHECK(parameters.size() == state.m.size() && gradients.size() == parameters.size());
  ++state.step;
  const double correction1 = 1 - std::pow(options.beta1, static_cast<double>(state.step));
  const double correction2 = 1 - std::pow(options.beta2, static_cast<double>(state.step));
  const auto keep1 = static_cast<float>(options.beta1), add1 = static_cast<float>(1 - options.beta1);
  const auto keep2 = static_cast<float>(options.beta2), add2 = static_cast<float>(1 - options.beta2);
  const auto eps = static_cast<float>(options.eps);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    GLINT_CHECK(parameters[i].is_contiguous() && gradients[i].is_contiguous());
    auto* p = parameters[i].data_ptr<float>();
    const auto* g = gradients[i].data_ptr<float>();
    auto* m = state.m[i].data_ptr<float>();
    auto* v = state.v[i].data_ptr<float>();
    const auto lr = static_cast<float>(options.learning_rate / correction1);
    const auto root = static_cast<float>(1 / std::sqrt(correction2));
    const auto shrink =
        static_cast<float>(options.decoupled ? 1 - options.learning_rate * options.weight_decay : 1);
    const auto coupled = static_cast<float>(options.decoupled ? 0 : options.weight_decay);
    for (std::int64_t k = 0; k < parameters[i].numel(); ++k) {
      p[k] *= shrink;
      const float grad = g[k] + coupled * p[k];
      m[k] = keep1 * m[k] + add1 * grad;
      v[k] = keep2 * v[k] + add2 * grad * grad;
      p[k] -= lr * m[k] / (std::sqrt(v[k]) * root + eps);
    }
  }
}

double clip_gradients(const std::vector<torch::Tensor>& gradients, double limit) {
  double squares = 0;
  for (const torch::Tensor& g : gradients) squares += g.square().sum(torch::kDouble).item<double>();
  const double norm = std::sqrt(squares);
  const double factor = limit > 0 ? limit / (norm + 1e-6) : 1;
  if (factor < 1) {
    for (const torch::Tensor& g : gradients) g.mul_(factor);
  }
  return norm;
}

}  // namespace glint
