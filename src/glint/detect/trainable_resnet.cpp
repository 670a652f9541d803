#include "glint/detect/trainable_resnet.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr int kStemChannels = 64, kStemKernel = 7;
constexpr int kEnlargingKernel = 2;  // of the transposed convolutions

/// One convolution of a block with its batch norm.
struct BlockConv {
  std::string conv, norm;
  int out, in, kernel, stride;
  bool enlarges;
};

struct BlockShape {
  std::vector<BlockConv> path;
  std::vector<BlockConv> shortcut;  ///< empty where the input itself is added
};

BlockShape block_shape(const ResidualLayer& layer, int block) {
  const int in = block == 0 ? layer.in : layer.out, stride = block == 0 ? layer.stride : 1;
  const bool enlarges = layer.enlarges && stride != 1;
  const std::string name = fmt::format("{}.{}.", layer.name, block);
  BlockShape shape;
  const auto add = [&](int number, int out, int from, int kernel, int step) {
    const bool larger = enlarges && step != 1;
    shape.path.push_back({fmt::format("{}conv{}", name, number), fmt::format("{}bn{}", name, number), out,
                          from, larger ? kEnlargingKernel : kernel, step, larger});
  };
  if (layer.bottleneck) {
    add(1, layer.width, in, 1, 1);
    add(2, layer.width, layer.width, 3, stride);
    add(3, layer.out, layer.width, 1, 1);
  } else {
    add(1, layer.out, in, 3, stride);
    add(2, layer.out, layer.out, 3, 1);
  }
  if (stride != 1 || in != layer.out) {
    const std::string shortcut = name + (enlarges ? "upsample" : "downsample");
    shape.shortcut.push_back(
        {shortcut + ".0", shortcut + ".1", layer.out, in, enlarges ? kEnlargingKernel : 1, stride, enlarges});
  }
  return shape;
}

void add_block_conv(NetLayout& layout, const BlockConv& part) {
  if (part.enlarges) {
    layout.conv_transpose(part.conv, part.out, part.in, part.kernel, false);
  } else {
    layout.conv(part.conv, part.out, part.in, part.kernel, false);
  }
  layout.batch_norm(part.norm, part.out);
}

torch::Tensor run_block_conv(const TrainableNet& net, const BlockConv& part, const torch::Tensor& x,
                             bool training) {
  const torch::Tensor y = part.enlarges
                              ? net.conv_transpose(x, part.conv, {.stride = part.stride})
                              : net.conv(x, part.conv, {.stride = part.stride, .padding = part.kernel / 2});
  return net.batch_norm(y, part.norm, training);
}

}  // namespace

NetLayout& add_residual_layer(NetLayout& layout, const ResidualLayer& layer) {
  for (int b = 0; b < layer.blocks; ++b) {
    const BlockShape shape = block_shape(layer, b);
    for (const BlockConv& part : shape.path) add_block_conv(layout, part);
    for (const BlockConv& part : shape.shortcut) add_block_conv(layout, part);
  }
  return layout;
}

torch::Tensor run_residual_layer(const TrainableNet& net, const ResidualLayer& layer, torch::Tensor x,
                                 bool training) {
  for (int b = 0; b < layer.blocks; ++b) {
    const BlockShape shape = block_shape(layer, b);
    torch::Tensor shortcut = x;
    for (const BlockConv& part : shape.shortcut) shortcut = run_block_conv(net, part, shortcut, training);
    for (const BlockConv& part : shape.path) {
      x = run_block_conv(net, part, x, training);
      if (&part != &shape.path.back()) x = at::relu(x);
    }
    x = at::relu(x + shortcut);
  }
  return x;
}

std::vector<ResidualLayer> ResNetShape::layers(const std::string& prefix) const {
  std::vector<ResidualLayer> out;
  int in = kStemChannels;
  for (int layer = 1; layer <= std::ssize(blocks); ++layer) {
    out.push_back({.name = fmt::format("{}layer{}", prefix, layer),
                   .blocks = blocks[static_cast<std::size_t>(layer - 1)],
                   .in = in,
                   .width = base_width << (layer - 1),
                   .out = channels(layer),
                   .stride = layer == 1 ? 1 : 2,
                   .bottleneck = bottleneck});
    in = channels(layer);
  }
  return out;
}

ResNetShape resnet_shape(const BackboneSpec& spec, int layers) {
  GLINT_CHECK(!spec.transformer && layers >= 1 && layers <= 4);
  ResNetShape shape;
  shape.blocks = {spec.blocks[0], spec.blocks[1], spec.blocks[2], spec.bottleneck ? 3 : 2};
  shape.blocks.resize(static_cast<std::size_t>(layers));
  shape.bottleneck = spec.bottleneck;
  shape.base_width = spec.width[0];
  return shape;
}

NetLayout& add_resnet(NetLayout& layout, const ResNetShape& shape, const std::string& prefix) {
  layout.conv(prefix + "conv1", kStemChannels, 3, kStemKernel, false);
  layout.batch_norm(prefix + "bn1", kStemChannels);
  for (const ResidualLayer& layer : shape.layers(prefix)) add_residual_layer(layout, layer);
  return layout;
}

std::vector<torch::Tensor> resnet_maps(const TrainableNet& net, const ResNetShape& shape,
                                       const torch::Tensor& images, bool training,
                                       const std::string& prefix) {
  torch::Tensor x = net.conv(images, prefix + "conv1", {.stride = 2, .padding = kStemKernel / 2});
  x = at::max_pool2d(at::relu(net.batch_norm(x, prefix + "bn1", training)), 3, 2, 1);
  std::vector<torch::Tensor> maps;
  for (const ResidualLayer& layer : shape.layers(prefix)) {
    x = run_residual_layer(net, layer, x, training);
    maps.push_back(x);
  }
  return maps;
}

}  // namespace glint
