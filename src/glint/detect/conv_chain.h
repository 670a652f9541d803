// A chain of convolutions as plain data: what encoders, decoders and discriminators are made of that are
// nothing but one layer after another. Tensors and arithmetic: trainable_net.h.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "glint/detect/trainable_net.h"

namespace glint {

enum class Activation { kNone, kRelu, kLeakyRelu, kSigmoid, kTanh };  ///< leaky: slope 0.2

struct ConvLayer {
  std::string name;  ///< <name>.weight, <name>.bias
  std::int64_t in = 0, out = 0, kernel = 3;
  ConvGeometry geometry;
  bool transposed = false, bias = true;
  std::string norm;  ///< name of the batch norm behind it; empty = none
  Activation activation = Activation::kNone;
};

class ConvChain {
 public:
  ConvChain& add(ConvLayer layer);
  std::size_t size() const { return layers_.size(); }
  const ConvLayer& layer(std::size_t i) const { return layers_.at(i); }

  void describe(NetLayout& layout) const;
  /// Layers `first` to `last` (without) of [B, C, h, w]. The result of the chain's last layer is float32 and
  /// its activation is taken in float32. In training the batch's statistics normalise and the running ones
  /// are updated.
  torch::Tensor run(const TrainableNet& net, const torch::Tensor& x, bool training, std::size_t first,
                    std::size_t last) const;
  torch::Tensor run(const TrainableNet& net, const torch::Tensor& x, bool training) const {
    return run(net, x, training, 0, layers_.size());
  }

 private:
  std::vector<ConvLayer> layers_;
};

torch::Tensor activated(const torch::Tensor& x, Activation activation);

}  // namespace glint
