#include "glint/detect/cflow/network.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "glint/base/error.h"
#include "glint/detect/patch_features.h"

namespace glint {
namespace {

// All of the published code.
constexpr double kPositionBase = 10000;
constexpr int kWarmMetaEpochs = 2;
constexpr double kWarmStart = 0.1, kLastShare = 1e-3;

CouplingFlow layer_flow(std::size_t layer, int channels, const CflowOptions& options) {
  const double read = channels - channels / 2 + options.condition;
  const CouplingShape block{.channels = channels,
                            .condition = options.condition,
                            .hidden = std::max(1, static_cast<int>(read * options.hidden_ratio)),
                            .mixing = ChannelMixing::kRotation,
                            .clamp = options.clamp,
                            .form = options.clamp_form};
  return {fmt::format("flow{}", layer),
          std::vector<CouplingShape>(static_cast<std::size_t>(options.blocks), block)};
}

}  // namespace

torch::Tensor position_code(int channels, std::int64_t height, std::int64_t width) {
  GLINT_CHECK(channels % 4 == 0);
  const std::int64_t half = channels / 2;
  const torch::Tensor frequency =
      (at::arange(0, half, 2, torch::kDouble) * (-std::log(kPositionBase) / static_cast<double>(half))).exp();
  const auto waves = [&](std::int64_t cells) {  // [half, cells], sine and cosine in turn
    const torch::Tensor angle =
        frequency.unsqueeze(1) * at::arange(cells, torch::TensorOptions(torch::kDouble)).unsqueeze(0);
    return at::stack({angle.sin(), angle.cos()}, 1).flatten(0, 1).to(torch::kFloat);
  };
  return at::cat({waves(width).unsqueeze(1).expand({half, height, width}),
                  waves(height).unsqueeze(2).expand({half, height, width})});
}

torch::Tensor log_likelihood(const FlowOutput& out) {
  const double constant = -0.5 * static_cast<double>(out.z.size(1)) * std::log(2 * std::numbers::pi);
  return out.z.square().sum(1) * -0.5 + out.log_det + constant;
}

CflowNetwork::CflowNetwork(const std::vector<int>& channels, const CflowOptions& options)
    : condition_(options.condition) {
  for (std::size_t i = 0; i < channels.size(); ++i) flows_.push_back(layer_flow(i, channels[i], options));
}

NetLayout CflowNetwork::layout() const {
  NetLayout layout;
  for (const CouplingFlow& flow : flows_) flow.add_to(layout);
  return layout;
}

CflowNetwork CflowNetwork::initial(const std::vector<int>& channels, const CflowOptions& options,
                                   std::uint64_t seed) {
  CflowNetwork out(channels, options);
  out.net_ = TrainableNet::initial(out.layout(), InitialWeights::kTorch, seed, "cflow.init");
  Rng rng(seed, "cflow.mixing");
  for (const CouplingFlow& flow : out.flows_) flow.start(out.net_, rng);
  return out;
}

CflowNetwork CflowNetwork::from_dict(const TensorDict& tensors, const std::vector<int>& channels,
                                     const CflowOptions& options, const std::string& file) {
  CflowNetwork out(channels, options);
  out.net_ = TrainableNet::from_dict(out.layout(), tensors, file);
  for (const CouplingFlow& flow : out.flows_) flow.check(out.net_, file);
  return out;
}

std::int64_t CflowNetwork::bytes(const std::vector<int>& channels, const CflowOptions& options) {
  return CflowNetwork(channels, options).layout().bytes();
}

std::vector<torch::Tensor> CflowNetwork::likelihoods(const std::vector<torch::Tensor>& maps) const {
  GLINT_CHECK(maps.size() == flows_.size());
  std::vector<torch::Tensor> out;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const std::int64_t images = maps[i].size(0), channels = maps[i].size(1);
    const std::int64_t height = maps[i].size(2), width = maps[i].size(3);
    const torch::Tensor codes =
        positions_of(position_code(condition_, height, width).unsqueeze(0)).repeat({images, 1, 1});
    const FlowOutput flow = run(i, positions_of(maps[i]).flatten(0, 1), codes.flatten(0, 1));
    out.push_back((log_likelihood(flow) / static_cast<double>(channels)).reshape({images, height, width}));
  }
  return out;
}

torch::Tensor cflow_loss(const torch::Tensor& values) {
  return -at::log_sigmoid(values).mean();
}

torch::Tensor cflow_map(const std::vector<torch::Tensor>& values, const std::vector<float>& peaks,
                        std::int64_t height, std::int64_t width) {
  GLINT_CHECK(values.size() == peaks.size());
  torch::Tensor map =
      torch::full({values[0].size(0), 1, height, width}, static_cast<double>(values.size()), torch::kFloat);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const torch::Tensor likely = (values[i] - peaks[i]).clamp_max(0).exp().unsqueeze(1);
    map = map - at::upsample_bilinear2d(likely, {height, width}, true);
  }
  return map.squeeze(1);
}

double cflow_learning_rate(double base, int meta_epoch, int meta_epochs, double share) {
  const auto cosine = [&](int epoch) {
    const double last = base * kLastShare;
    return last + (base - last) * (1 + std::cos(std::numbers::pi * epoch / meta_epochs)) / 2;
  };
  if (meta_epoch >= kWarmMetaEpochs) return cosine(meta_epoch);
  const double start = base * kWarmStart;
  return start + (meta_epoch + share) / kWarmMetaEpochs * (cosine(kWarmMetaEpochs) - start);
}

}  // namespace glint
