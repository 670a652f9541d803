// Residual networks that are trained here: torchvision's ResNets from the stem to any of their layers, and
// single residual layers for networks that are built from them. Not the frozen backbones, whose batch norm is
// folded (nn/backbone.h).
#pragma once

#include <string>
#include <vector>

#include "glint/detect/trainable_net.h"
#include "glint/nn/backbone_spec.h"

namespace glint {

/// Residual blocks <name>.0, <name>.1, ...; the first changes channels and grid. Tensors within a block are
/// named as torchvision's: conv1, bn1, conv2, bn2, (conv3, bn3,) downsample.0, downsample.1.
struct ResidualLayer {
  std::string name;
  int blocks = 2;
  int in = 64, width = 64, out = 64;  ///< channels; width: of the 3x3 convolutions
  int stride = 1;
  bool bottleneck = false;  ///< 1x1, 3x3, 1x1 with the stride on the 3x3, instead of 3x3, 3x3
  /// Twice the grid in place of half of it, with stride 2: transposed 2x2 convolutions where the 3x3 with the
  /// stride and the shortcut's 1x1 were; the shortcut is then called upsample (Reverse Distillation).
  bool enlarges = false;
};

NetLayout& add_residual_layer(NetLayout& layout, const ResidualLayer& layer);
/// x: [B, in, H, W]. training: batch norm by the batch's statistics, which also update the running ones.
torch::Tensor run_residual_layer(const TrainableNet& net, const ResidualLayer& layer, torch::Tensor x,
                                 bool training);

/// The shape of a ResNet from the stem to its last wanted layer.
struct ResNetShape {
  std::vector<int> blocks;  ///< of layer1, layer2, ...: one to four layers
  bool bottleneck = false;
  int base_width = 64;  ///< of layer1's 3x3 convolutions; doubles with each layer (WideResNet-50-2: 128)

  int channels(int layer) const { return (64 << (layer - 1)) * (bottleneck ? 4 : 1); }
  std::vector<ResidualLayer> layers(const std::string& prefix = "") const;
};

/// torchvision's network of that architecture up to layer `layers` (1 to 4); compact counts as ResNet-18,
/// whose shape it approximates. Not for transformers.
ResNetShape resnet_shape(const BackboneSpec& spec, int layers);

/// <prefix>conv1, <prefix>bn1, <prefix>layer1.0.conv1, ... in torchvision's order. First values as
/// torchvision's are InitialWeights::kKaiming.
NetLayout& add_resnet(NetLayout& layout, const ResNetShape& shape, const std::string& prefix = "");

/// Maps of layer1, layer2, ... of normalised images [B, 3, H, W]: each [B, channels(layer), h, w] with h, w a
/// 4th, 8th, 16th, 32nd of the image's (rounded up), in the type that the net computes in.
std::vector<torch::Tensor> resnet_maps(const TrainableNet& net, const ResNetShape& shape,
                                       const torch::Tensor& images, bool training,
                                       const std::string& prefix = "");

}  // namespace glint
