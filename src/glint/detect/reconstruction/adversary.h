// A network that trains against another, with its Adam: generator or discriminator of an adversarial
// training.
#pragma once

#include <torch/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "glint/detect/reconstruction/reconstruction.h"
#include "glint/detect/trainable_net.h"
#include "glint/nn/adam.h"

namespace glint {

/// Adam of DCGAN (Radford et al. 2016), as most adversarial trainings have it.
inline constexpr AdamOptions kAdversarialAdam{.learning_rate = 2e-4, .beta1 = 0.5};

struct Adversary {
  explicit Adversary(TrainableNet network) : net(std::move(network)) {}

  void begin_training() {
    net.require_gradients(true);
    adam = AdamState::of(net.parameters());
  }

  /// Of `loss` with respect to this network's parameters.
  std::vector<torch::Tensor> gradients(const torch::Tensor& loss, bool keep_graph = false) const {
    return gradients_of(loss, net.parameters(), keep_graph);
  }
  void update(const AdamOptions& options, const std::vector<torch::Tensor>& gradients) {
    adam_step(adam, options, net.parameters(), gradients);
  }
  /// The optimiser's state under kOptimizerPrefix and `name`.
  void save_adam(TensorDict& state, const std::string& name) const;
  void load_adam(const TensorDict& state, const std::string& name, const std::string& file);

  TrainableNet net;
  AdamState adam;
};

/// A method whose networks are a generator and a discriminator that train against each other.
class AdversarialReconstructor : public Reconstructor {
 public:
  Adversary& generator() { return generator_; }
  Adversary& discriminator() { return discriminator_; }

  void begin_training() override;
  torch::Tensor error(const torch::Tensor& x, const torch::Tensor& y) const override {
    return absolute_error(x, y);
  }
  /// generator.* and discriminator.*.
  TensorDict weights() const override;
  void save_training(TensorDict& state) const override;
  void load_training(const TensorDict& state, const std::string& file) override;
  void use_bfloat16(bool on) override;

 protected:
  AdversarialReconstructor(TrainableNet generator, TrainableNet discriminator)
      : generator_(std::move(generator)), discriminator_(std::move(discriminator)) {}

  Adversary generator_, discriminator_;
};

/// How their tensors are named in weights().
inline constexpr const char *kGeneratorPrefix = "generator.", *kDiscriminatorPrefix = "discriminator.";

/// Names of a network that only training needs: its tensors in a training's state.
std::string training_prefix(const std::string& network);

/// That network where the weights are a training's; an empty one where they are a finished model's.
TrainableNet training_net(const NetLayout& layout, const TensorDict& weights, const std::string& network,
                          const std::string& file);

/// Binary cross-entropy of probabilities against one label, mean.
torch::Tensor label_loss(const torch::Tensor& probabilities, double label);

}  // namespace glint
