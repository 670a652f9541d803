#include "glint/detect/inp_former/optimizer.h"

#include <ATen/ATen.h>

#include <cmath>

#include "glint/base/error.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEps = 1e-10;  // published code

}  // namespace

double StableAdamW::clip(std::map<std::string, torch::Tensor>& parameters, double clip_norm) {
  torch::Tensor sum = torch::zeros({}, torch::kDouble);
  for (auto& [name, p] : parameters) {
    if (p.grad().defined()) sum = sum + p.grad().norm().to(torch::kCPU, torch::kDouble).square();
  }
  const double norm = std::sqrt(sum.item<double>());
  if (clip_norm > 0 && norm > clip_norm) {
    const double factor = clip_norm / (norm + 1e-6);
    for (auto& [name, p] : parameters) {
      if (p.grad().defined()) p.mutable_grad().mul_(factor);
    }
  }
  return norm;
}

void StableAdamW::step(std::map<std::string, torch::Tensor>& parameters, double learning_rate) {
  const torch::NoGradGuard no_grad;
  ++steps_;
  const double correction1 = 1 - std::pow(kBeta1, static_cast<double>(steps_));
  const double correction2 = 1 - std::pow(kBeta2, static_cast<double>(steps_));
  for (auto& [name, p] : parameters) {
    const torch::Tensor g = p.grad();
    if (!g.defined()) continue;
    State& s = states_[name];
    if (!s.mean.defined()) {
      s = {torch::zeros_like(p), torch::zeros_like(p), torch::zeros_like(p)};
    } else if (s.mean.device() != p.device()) {
      s = {s.mean.to(p.device()), s.square.to(p.device()), s.largest_square.to(p.device())};
    }
    p.mul_(1 - learning_rate * weight_decay_);
    s.mean.mul_(kBeta1).add_(g, 1 - kBeta1);
    s.square.mul_(kBeta2).addcmul_(g, g, 1 - kBeta2);
    s.largest_square = at::maximum(s.largest_square, s.square);
    const torch::Tensor denominator = s.largest_square.sqrt().div_(std::sqrt(correction2)).add_(kEps);
    const double rms = (g / denominator).norm().item<double>() / std::sqrt(static_cast<double>(g.numel()));
    p.addcdiv_(s.mean, denominator, -learning_rate / correction1 / std::max(1.0, rms));
  }
}

void StableAdamW::save(TensorDict& tensors) const {
  tensors[std::string(kPrefix) + "steps"] = to_host(torch::tensor({steps_}, torch::kLong));
  for (const auto& [name, s] : states_) {
    tensors[kPrefix + name + ".mean"] = to_host(s.mean);
    tensors[kPrefix + name + ".square"] = to_host(s.square);
    tensors[kPrefix + name + ".largest_square"] = to_host(s.largest_square);
  }
}

void StableAdamW::load(const TensorDict& tensors, const std::string& file) {
  steps_ = to_tensor(require_tensor(tensors, std::string(kPrefix) + "steps", file)).item<std::int64_t>();
  const std::string suffix = ".mean";
  for (const auto& [key, tensor] : tensors) {
    if (!key.starts_with(kPrefix) || !key.ends_with(suffix)) continue;
    const std::string base = key.substr(0, key.size() - suffix.size());
    states_[base.substr(std::string(kPrefix).size())] = {
        to_tensor(tensor), to_tensor(require_tensor(tensors, base + ".square", file)),
        to_tensor(require_tensor(tensors, base + ".largest_square", file))};
  }
}

}  // namespace glint
