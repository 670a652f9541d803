#include "glint/detect/supersimplenet/network.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"
#include "glint/detect/patch_features.h"

namespace glint {
namespace {

// All of the published code.
constexpr int kScoreChannels = 128, kScoreKernel = 5;
constexpr double kMapSlope = 0.2;

constexpr const char* kAdapter = "feature_adaptor.projection";
constexpr const char* kMapHidden = "discriminator.seg.0";
constexpr const char* kMapNorm = "discriminator.seg.1";
constexpr const char* kMapTail = "discriminator.seg.3";
constexpr const char* kScoreConv = "discriminator.dec_head.0";
constexpr const char* kScoreNorm = "discriminator.dec_head.1";
constexpr const char* kScoreTail = "discriminator.fc_score";

NetLayout layout(std::int64_t channels, std::int64_t hidden) {
  return NetLayout()
      .conv(kAdapter, channels, channels, 1, true)
      .conv(kMapHidden, hidden, channels, 1, true)
      .batch_norm(kMapNorm, hidden)
      .conv(kMapTail, 1, hidden, 1, false)
      .conv(kScoreConv, kScoreChannels, channels + 1, kScoreKernel, true)
      .batch_norm(kScoreNorm, kScoreChannels)
      .linear(kScoreTail, 1, 2 * kScoreChannels + 2);
}

}  // namespace

torch::Tensor fine_features(const torch::Tensor& layer2, const torch::Tensor& layer3,
                            LayerAlignment alignment) {
  const std::vector<std::int64_t> grid = {2 * layer2.size(2), 2 * layer2.size(3)};
  const bool corners = alignment == LayerAlignment::kCorners;
  return average_neighbourhoods(at::cat(
      {at::upsample_bilinear2d(layer2, grid, corners), at::upsample_bilinear2d(layer3, grid, corners)}, 1));
}

SuperSimpleNetwork SuperSimpleNetwork::initial(int channels, int hidden, std::uint64_t seed) {
  return SuperSimpleNetwork(TrainableNet::initial(layout(channels, hidden), InitialWeights::kXavierNormal,
                                                  seed, "supersimplenet.init"));
}

SuperSimpleNetwork SuperSimpleNetwork::from_dict(const TensorDict& tensors, int channels,
                                                 const std::string& file) {
  const HostTensor& hidden = require_tensor(tensors, std::string(kMapHidden) + ".bias", file);
  if (hidden.numel() == 0)
    fail(ErrorCode::kBadInput, "{}: tensor '{}.bias' is empty; train it again", file, kMapHidden);
  return SuperSimpleNetwork(TrainableNet::from_dict(layout(channels, hidden.numel()), tensors, file));
}

std::int64_t SuperSimpleNetwork::bytes(int channels, int hidden) {
  return layout(channels, hidden).bytes();
}

TensorDict SuperSimpleNetwork::to_dict() const {
  return net_.to_dict();
}

torch::Tensor SuperSimpleNetwork::adapt(const torch::Tensor& features) const {
  return net_.conv(features, kAdapter);
}

SuperSimpleNetwork::Output SuperSimpleNetwork::run(const torch::Tensor& adapted, bool training) const {
  const torch::Tensor hidden =
      at::leaky_relu(net_.batch_norm(net_.conv(adapted, kMapHidden), kMapNorm, training), kMapSlope);
  Output out;
  // Judging wants the logits finer than bfloat16's eight bits; training does not, and is faster without.
  const torch::Tensor& tail = net_.at(std::string(kMapTail) + ".weight");
  out.map =
      training ? net_.conv(hidden, kMapTail).to(torch::kFloat) : at::conv2d(hidden.to(torch::kFloat), tail);

  const torch::Tensor map = out.map.detach();
  const torch::Tensor read =
      at::relu(net_.batch_norm(net_.conv(at::cat({adapted, map.to(adapted.scalar_type())}, 1), kScoreConv,
                                         {.padding = kScoreKernel / 2}),
                               kScoreNorm, training));
  const torch::Tensor channels = read.to(torch::kFloat).flatten(2), cells = map.flatten(2);
  // max over one dimension: the gradient goes to one cell, as adaptive max pooling's does.
  out.score =
      at::linear(
          at::cat({std::get<0>(channels.max(2)), channels.mean(2), std::get<0>(cells.max(2)), cells.mean(2)},
                  1),
          net_.at(std::string(kScoreTail) + ".weight"), net_.at(std::string(kScoreTail) + ".bias"))
          .flatten();
  return out;
}

SuperSimpleNetwork::Output SuperSimpleNetwork::heads(const torch::Tensor& adapted, bool training) {
  return run(adapted, training);
}

SuperSimpleNetwork::Output SuperSimpleNetwork::heads(const torch::Tensor& adapted) const {
  return run(adapted, false);
}

std::vector<torch::Tensor> SuperSimpleNetwork::adapter_parameters() const {
  return net_.parameters(kAdapter);
}

std::vector<torch::Tensor> SuperSimpleNetwork::head_parameters() const {
  return net_.parameters("discriminator.");
}

}  // namespace glint
