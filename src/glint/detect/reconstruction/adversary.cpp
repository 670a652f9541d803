#include "glint/detect/reconstruction/adversary.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace glint {
namespace {

std::string adam_prefix(const std::string& name) {
  return std::string(kOptimizerPrefix) + name + '.';
}

}  // namespace

void Adversary::save_adam(TensorDict& state, const std::string& name) const {
  adam.save(state, adam_prefix(name));
}

void Adversary::load_adam(const TensorDict& state, const std::string& name, const std::string& file) {
  adam.load(state, adam_prefix(name), file);
}

void AdversarialReconstructor::begin_training() {
  generator_.begin_training();
  discriminator_.begin_training();
}

TensorDict AdversarialReconstructor::weights() const {
  TensorDict out = generator_.net.to_dict(kGeneratorPrefix);
  out.merge(discriminator_.net.to_dict(kDiscriminatorPrefix));
  return out;
}

void AdversarialReconstructor::save_training(TensorDict& state) const {
  generator_.save_adam(state, "generator");
  discriminator_.save_adam(state, "discriminator");
}

void AdversarialReconstructor::load_training(const TensorDict& state, const std::string& file) {
  generator_.load_adam(state, "generator", file);
  discriminator_.load_adam(state, "discriminator", file);
}

void AdversarialReconstructor::use_bfloat16(bool on) {
  generator_.net.use_bfloat16(on);
  discriminator_.net.use_bfloat16(on);
}

std::string training_prefix(const std::string& network) {
  return std::string(kTrainingPrefix) + network + '.';
}

TrainableNet training_net(const NetLayout& layout, const TensorDict& weights, const std::string& network,
                          const std::string& file) {
  const std::string prefix = training_prefix(network);
  const bool in_training = std::any_of(weights.begin(), weights.end(),
                                       [&](const auto& entry) { return entry.first.starts_with(prefix); });
  return in_training ? TrainableNet::from_dict(layout, weights, file, prefix) : TrainableNet();
}

torch::Tensor label_loss(const torch::Tensor& probabilities, double label) {
  return at::binary_cross_entropy(probabilities, torch::full_like(probabilities, label));
}

}  // namespace glint
