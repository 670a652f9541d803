#include "glint/detect/fastflow/network.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr double kMapNormEps = 1e-5;

std::string norm_name(std::size_t scale) {
  return fmt::format("norm{}", scale);
}

CouplingFlow scale_flow(std::size_t scale, std::int64_t channels, const FastFlowOptions& options) {
  std::vector<CouplingShape> blocks;
  const std::int64_t read = channels - channels / 2;
  for (int b = 0; b < options.blocks; ++b) {
    const bool wide = options.kernels == FlowKernels::kAll3x3 || b % 2 == 0;
    const int hidden = std::max(1, static_cast<int>(static_cast<double>(read) * options.hidden_ratio));
    blocks.push_back({.channels = static_cast<int>(channels),
                      .kernel = wide ? 3 : 1,
                      .hidden = hidden,
                      .clamp = options.clamp,
                      .form = options.clamp_form});
  }
  return {fmt::format("flow{}", scale), std::move(blocks)};
}

}  // namespace

FastFlowNetwork::FastFlowNetwork(Shapes scales, const FastFlowOptions& options) : scales_(std::move(scales)) {
  for (std::size_t i = 0; i < scales_.size(); ++i)
    flows_.push_back(scale_flow(i, scales_[i].channels, options));
}

NetLayout FastFlowNetwork::layout() const {
  NetLayout layout;
  for (std::size_t i = 0; i < scales_.size(); ++i) {
    layout.add({norm_name(i) + ".weight", scales_[i].shape(), TensorKind::kNormScale});
    layout.add({norm_name(i) + ".bias", scales_[i].shape(), TensorKind::kNormShift});
    flows_[i].add_to(layout);
  }
  return layout;
}

FastFlowNetwork FastFlowNetwork::initial(const Shapes& scales, const FastFlowOptions& options,
                                         std::uint64_t seed) {
  FastFlowNetwork out(scales, options);
  out.net_ = TrainableNet::initial(out.layout(), InitialWeights::kTorch, seed, "fastflow.init");
  Rng rng(seed, "fastflow.mixing");
  for (const CouplingFlow& flow : out.flows_) flow.start(out.net_, rng);
  return out;
}

FastFlowNetwork FastFlowNetwork::from_dict(const TensorDict& tensors, const std::vector<int>& channels,
                                           const FastFlowOptions& options, const std::string& file) {
  Shapes scales;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const std::string name = norm_name(i) + ".weight";
    const std::vector<std::int64_t>& shape = require_tensor(tensors, name, file).shape;
    if (shape.size() != 3 || shape[0] != channels[i] || shape[1] < 1 || shape[2] < 1) {
      fail(ErrorCode::kBadInput,
           "{}: tensor '{}' has the shape [{}], wanted [{}, height, width]; train it again", file, name,
           fmt::join(shape, ", "), channels[i]);
    }
    scales.push_back({shape[0], shape[1], shape[2]});
  }
  FastFlowNetwork out(std::move(scales), options);
  out.net_ = TrainableNet::from_dict(out.layout(), tensors, file);
  for (const CouplingFlow& flow : out.flows_) flow.check(out.net_, file);
  return out;
}

std::int64_t FastFlowNetwork::bytes(const Shapes& scales, const FastFlowOptions& options) {
  return FastFlowNetwork(scales, options).layout().bytes();
}

std::vector<FlowOutput> FastFlowNetwork::run(const std::vector<torch::Tensor>& maps) const {
  GLINT_CHECK(maps.size() == scales_.size());
  std::vector<FlowOutput> out;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const std::vector<std::int64_t> shape = scales_[i].shape();
    if (maps[i].sizes().slice(1) != at::IntArrayRef(shape)) {
      fail(ErrorCode::kBadInput,
           "the model was trained on maps of {}x{} cells, the input gives {}x{}; train it again",
           scales_[i].width, scales_[i].height, maps[i].size(3), maps[i].size(2));
    }
    const torch::Tensor normed =
        at::layer_norm(maps[i].contiguous(), shape, net_.at(norm_name(i) + ".weight"),
                       net_.at(norm_name(i) + ".bias"), kMapNormEps);
    out.push_back(flows_[i].run(net_, normed));
  }
  return out;
}

torch::Tensor fastflow_loss(const std::vector<FlowOutput>& scales) {
  torch::Tensor loss = torch::zeros({});
  for (const FlowOutput& scale : scales)
    loss = loss + (scale.z.square().flatten(1).sum(1) / 2 - scale.log_det).mean();
  return loss;
}

torch::Tensor fastflow_map(const std::vector<FlowOutput>& scales, std::int64_t height, std::int64_t width) {
  torch::Tensor sum;
  for (const FlowOutput& scale : scales) {
    const torch::Tensor score = -(scale.z.square().mean(1, true) / -2).exp();
    const torch::Tensor large = at::upsample_bilinear2d(score, {height, width}, false);
    sum = sum.defined() ? sum + large : large;
  }
  return sum.squeeze(1) / static_cast<double>(scales.size());
}

}  // namespace glint
