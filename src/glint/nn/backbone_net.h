// The layers of a convolutional backbone by libtorch, trainable or frozen.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "glint/nn/backbone.h"

namespace glint {

struct FeatureMaps {
  torch::Tensor layer1, layer2, layer3;  ///< [B, C, H/4, W/4], [B, C, H/8, W/8], [B, C, H/16, W/16]
};

/// Convolution weights of a network as trainable or frozen tensors; forward() is differentiable.
class BackboneNet {
 public:
  BackboneNet(const BackboneSpec& spec, const TensorDict& folded, const std::string& source);

  /// images [B, 3, H, W], normalised; brought to the network's device, type and layout. Any H, W >= 32.
  FeatureMaps forward(const torch::Tensor& images) const;
  const BackboneSpec& spec() const { return spec_; }
  std::vector<torch::Tensor> parameters() const;
  TensorDict to_dict(bool half) const;
  /// bfloat16: channels last, which its convolutions want. Never auto.
  void to(const torch::Device& device, Precision precision);

 private:
  torch::Tensor conv(const torch::Tensor& x, const std::string& name, int stride) const;
  torch::Tensor block(torch::Tensor x, const std::string& name, int stride) const;

  BackboneSpec spec_;
  std::map<std::string, std::pair<torch::Tensor, torch::Tensor>> convs_;  // weight, bias (may be undefined)
};

}  // namespace glint
