#include "glint/detect/f_anogan/residual_block.h"

#include <ATen/ATen.h>

namespace glint {
namespace {

constexpr double kTensorFlowBatchNormEps = 1e-3, kBlockNormEps = 1e-5;
constexpr ConvGeometry kSame = {1, 1};

torch::Tensor doubled(const torch::Tensor& x) {
  return at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
}

torch::Tensor halved(const torch::Tensor& x) {
  return at::avg_pool2d(x, 2);
}

}  // namespace

void describe_norm(NetLayout& layout, const std::string& name, std::int64_t channels, BlockNorm norm) {
  if (norm == BlockNorm::kBatch) {
    layout.batch_norm(name, channels);
    return;
  }
  layout.add({name + ".weight", {channels}, TensorKind::kNormScale});
  layout.add({name + ".bias", {channels}, TensorKind::kNormShift});
}

torch::Tensor block_norm(const TrainableNet& net, const torch::Tensor& x, const std::string& name,
                         BlockNorm norm, bool training) {
  if (norm == BlockNorm::kBatch) return net.batch_norm(x, name, training, kTensorFlowBatchNormEps);
  const auto per_channel = [&](const char* which) { return net.at(name + which).reshape({1, -1, 1, 1}); };
  const torch::Tensor centred = x - x.mean({1, 2, 3}, true);
  const torch::Tensor spread = (centred.square().mean({1, 2, 3}, true) + kBlockNormEps).sqrt();
  return centred / spread * per_channel(".weight") + per_channel(".bias");
}

void ResidualBlock::describe(NetLayout& layout) const {
  layout.conv(part("shortcut"), out, in, 1, true);
  describe_norm(layout, part("norm1"), in, norm);
  layout.conv(part("conv1"), inner(), in, 3, false);
  describe_norm(layout, part("norm2"), inner(), norm);
  layout.conv(part("conv2"), out, inner(), 3, true);
}

torch::Tensor ResidualBlock::run(const TrainableNet& net, const torch::Tensor& x, bool training) const {
  const bool doubles = resize == BlockResize::kDouble;
  torch::Tensor t = at::relu(block_norm(net, x, part("norm1"), norm, training));
  if (doubles) t = doubled(t);
  t = net.conv(t, part("conv1"), kSame);
  t = at::relu(block_norm(net, t, part("norm2"), norm, training));
  t = net.conv(t, part("conv2"), kSame);
  if (doubles) return doubled(net.conv(x, part("shortcut"))) + t;
  return net.conv(halved(x), part("shortcut")) + halved(t);
}

}  // namespace glint
