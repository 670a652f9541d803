// MemAE (Gong et al., ICCV 2019) in two dimensions: an autoencoder whose decoder sees only mixtures of a few
// learnt memory entries, so that it cannot pass a defect on.
#pragma once

#include <torch/types.h>

#include <memory>
#include <vector>

#include "glint/detect/conv_chain.h"
#include "glint/detect/detector.h"
#include "glint/detect/reconstruction/reconstruction.h"
#include "glint/nn/adam.h"

namespace glint {

struct MemaeOptions {
  int slots = 2000;
  double threshold = 0.0025;  ///< of the attention, below which an entry is not used; 0 = none
  double entropy_weight = 2e-4;
  double learning_rate = 1e-4;
  /// window 0: the network takes any input.
  ReconstructionOptions shared{.window = 0, .stride = 32, .batch = 14, .meta_epochs = 50, .passes = 2};

  void describe(OptionTable& table);
};

struct MemoryReading {
  torch::Tensor features;   ///< [B, C, h, w] what the memory gives back
  torch::Tensor attention;  ///< [B, M, h, w]
};
/// Each position's features as a mixture of the memory's rows [M, C], by softmax of their products, cut below
/// `threshold` and normalised again (published code).
MemoryReading read_memory(const torch::Tensor& features, const torch::Tensor& memory, double threshold);
/// Mean over the positions of the attention's entropy.
torch::Tensor memory_entropy(const torch::Tensor& attention);

class MemaeReconstructor : public Reconstructor {
 public:
  /// Channels of picture, first layer, ...: {3, 96, 128, 256, 256} is published.
  static NetLayout layout(const std::vector<int>& channels, int slots);
  MemaeReconstructor(const MemaeOptions& options, const std::vector<int>& channels, TrainableNet net);

  struct Output {
    torch::Tensor features, retrieved, attention, image;
  };
  /// Sides must be multiples of the network's stride (16 as published).
  Output run(const torch::Tensor& x, bool training) const;

  void begin_training() override;
  Readings step(const torch::Tensor& x, const LoopStep& at, std::uint64_t seed) override;
  /// Of any size: what is missing to whole cells is the edge repeated, and cut off again.
  Reconstruction reconstruct(const torch::Tensor& x) const override;
  torch::Tensor error(const torch::Tensor& x, const torch::Tensor& y) const override;
  TensorDict weights() const override { return net_.to_dict(); }
  void save_training(TensorDict& state) const override;
  void load_training(const TensorDict& state, const std::string& file) override;
  void use_bfloat16(bool on) override { net_.use_bfloat16(on); }

 private:
  MemaeOptions options_;
  ConvChain encoder_, decoder_;
  TrainableNet net_;
  AdamState adam_;
};

std::unique_ptr<Method> make_memae();

}  // namespace glint
