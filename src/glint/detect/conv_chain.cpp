#include "glint/detect/conv_chain.h"

#include <ATen/ATen.h>

namespace glint {
namespace {

constexpr double kChainSlope = 0.2;  // of every network here that leaks

}  // namespace

torch::Tensor activated(const torch::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return at::relu(x);
    case Activation::kLeakyRelu:
      return at::leaky_relu(x, kChainSlope);
    case Activation::kSigmoid:
      return at::sigmoid(x);
    case Activation::kTanh:
      return at::tanh(x);
    case Activation::kNone:
      break;
  }
  return x;
}

ConvChain& ConvChain::add(ConvLayer layer) {
  layers_.push_back(std::move(layer));
  return *this;
}

void ConvChain::describe(NetLayout& layout) const {
  for (const ConvLayer& l : layers_) {
    if (l.transposed) {
      layout.conv_transpose(l.name, l.out, l.in, l.kernel, l.bias);
    } else {
      layout.conv(l.name, l.out, l.in, l.kernel, l.bias);
    }
    if (!l.norm.empty()) layout.batch_norm(l.norm, l.out);
  }
}

torch::Tensor ConvChain::run(const TrainableNet& net, const torch::Tensor& x, bool training,
                             std::size_t first, std::size_t last) const {
  torch::Tensor out = x;
  for (std::size_t i = first; i < last; ++i) {
    const ConvLayer& l = layers_.at(i);
    out = l.transposed ? net.conv_transpose(out, l.name, l.geometry) : net.conv(out, l.name, l.geometry);
    if (!l.norm.empty()) out = net.batch_norm(out, l.norm, training);
    if (i + 1 == layers_.size()) out = out.to(torch::kFloat);
    out = activated(out, l.activation);
  }
  return out;
}

}  // namespace glint
