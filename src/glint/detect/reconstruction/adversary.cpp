#include "glint/detect/reconstruction/adversary.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "glint/detect/detector.h"
#include "glint/detect/reconstruction/reconstruction.h"

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
