// Residual blocks of WGAN-GP (Gulrajani et al. 2017) as f-AnoGAN uses them: norm, rectifier, 3x3, twice, and
// a 1x1 beside it, with twice or half the side.
#pragma once

#include <torch/types.h>

#include <string>

#include "glint/detect/trainable_net.h"

namespace glint {

enum class BlockResize { kDouble, kHalve };
/// Batch norm has TensorFlow's eps, 1e-3. Layer norm goes over channels and places of one picture (eps 1e-5),
/// with a scale and a shift per channel: a critic's penalty on single pictures bears no batch norm.
enum class BlockNorm { kBatch, kLayer };

void describe_norm(NetLayout& layout, const std::string& name, std::int64_t channels, BlockNorm norm);
torch::Tensor block_norm(const TrainableNet& net, const torch::Tensor& x, const std::string& name,
                         BlockNorm norm, bool training);

struct ResidualBlock {
  std::string name;  ///< before .shortcut, .norm1, .conv1, .norm2, .conv2; may be empty
  std::int64_t in = 0, out = 0;
  BlockResize resize = BlockResize::kHalve;
  BlockNorm norm = BlockNorm::kBatch;

  void describe(NetLayout& layout) const;
  torch::Tensor run(const TrainableNet& net, const torch::Tensor& x, bool training) const;

 private:
  std::string part(const char* which) const { return name.empty() ? which : name + '.' + which; }
  std::int64_t inner() const { return resize == BlockResize::kDouble ? out : in; }
};

}  // namespace glint
