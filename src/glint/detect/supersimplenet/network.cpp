#include "glint/detect/supersimplenet/network.h"

#include <ATen/ATen.h>

#include <cmath>

#include "glint/base/error.h"
#include "glint/detect/patch_features.h"
#include "glint/detect/seeded_tensors.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

// All of the published code.
constexpr int kScoreChannels = 128, kScoreKernel = 5;
constexpr double kMapSlope = 0.2, kNormEps = 1e-5, kNormMomentum = 0.1;

constexpr const char* kAdapter = "feature_adaptor.projection";
constexpr const char* kMapHidden = "discriminator.seg.0";
constexpr const char* kMapNorm = "discriminator.seg.1";
constexpr const char* kMapTail = "discriminator.seg.3";
constexpr const char* kScoreConv = "discriminator.dec_head.0";
constexpr const char* kScoreNorm = "discriminator.dec_head.1";
constexpr const char* kScoreTail = "discriminator.fc_score";

std::vector<TensorShape> shapes(std::int64_t channels, std::int64_t hidden) {
  std::vector<TensorShape> out;
  const auto weight = [&](const std::string& name, std::vector<std::int64_t> shape, bool bias) {
    if (bias) out.push_back({name + ".bias", {shape[0]}});
    out.push_back({name + ".weight", std::move(shape)});
  };
  const auto norm = [&](const std::string& name, std::int64_t n) {
    for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"})
      out.push_back({name + part, {n}});
  };
  weight(kAdapter, {channels, channels, 1, 1}, true);
  weight(kMapHidden, {hidden, channels, 1, 1}, true);
  norm(kMapNorm, hidden);
  weight(kMapTail, {1, hidden, 1, 1}, false);
  weight(kScoreConv, {kScoreChannels, channels + 1, kScoreKernel, kScoreKernel}, true);
  norm(kScoreNorm, kScoreChannels);
  weight(kScoreTail, {1, 2 * kScoreChannels + 2}, true);
  return out;
}

bool is_statistic(const std::string& name) {
  return name.ends_with("running_mean") || name.ends_with("running_var");
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
  Rng rng(seed, "supersimplenet.init");
  SuperSimpleNetwork net;
  for (const auto& [name, shape] : shapes(channels, hidden)) {
    if (shape.size() == 1) {
      const bool one = name.ends_with("running_var") || name.ends_with("weight");
      net.tensors_[name] = one ? torch::ones(shape) : torch::zeros(shape);
      continue;
    }
    const std::int64_t window = shape.size() == 4 ? shape[2] * shape[3] : 1;
    const auto in = static_cast<double>(shape[1] * window), out = static_cast<double>(shape[0] * window);
    net.tensors_[name] = normal_tensor(shape, std::sqrt(2 / (in + out)), rng);
    const std::string bias = name.substr(0, name.rfind('.')) + ".bias";
    if (const auto found = net.tensors_.find(bias); found != net.tensors_.end())
      found->second = uniform_tensor({shape[0]}, 1 / std::sqrt(in), rng);
  }
  return net;
}

SuperSimpleNetwork SuperSimpleNetwork::from_dict(const TensorDict& tensors, int channels,
                                                 const std::string& file) {
  const HostTensor& hidden = require_tensor(tensors, std::string(kMapHidden) + ".bias", file);
  if (hidden.numel() == 0)
    fail(ErrorCode::kBadInput, "{}: tensor '{}.bias' is empty; train it again", file, kMapHidden);
  SuperSimpleNetwork net;
  for (const auto& [name, shape] : shapes(channels, hidden.numel())) {
    const HostTensor& t = require_tensor(tensors, name, shape, file);
    if (t.dtype != DType::kF32)
      fail(ErrorCode::kBadInput, "{}: tensor '{}' must be F32; train it again", file, name);
    if (!all_finite(t)) {
      fail(ErrorCode::kBadInput, "{}: tensor '{}' holds values that are not finite; train it again", file,
           name);
    }
    net.tensors_[name] = to_tensor(t);
    if (name.ends_with("running_var") && net.tensors_[name].min().item<float>() < 0)
      fail(ErrorCode::kBadInput, "{}: tensor '{}' has a negative variance; train it again", file, name);
  }
  return net;
}

std::int64_t SuperSimpleNetwork::bytes(int channels, int hidden) {
  std::int64_t values = 0;
  for (const TensorShape& s : shapes(channels, hidden)) values += c10::multiply_integers(s.shape);
  return values * static_cast<std::int64_t>(sizeof(float));
}

TensorDict SuperSimpleNetwork::to_dict() const {
  TensorDict out;
  for (const auto& [name, tensor] : tensors_) out[name] = to_host(tensor.detach());
  return out;
}

torch::Tensor SuperSimpleNetwork::conv(const torch::Tensor& x, const std::string& name,
                                       torch::ScalarType type) const {
  const torch::Tensor weight = at(name + ".weight").to(type);
  const auto bias = tensors_.find(name + ".bias");
  return at::conv2d(x.to(type), weight, bias == tensors_.end() ? torch::Tensor() : bias->second.to(type), 1,
                    weight.size(2) / 2);
}

torch::Tensor SuperSimpleNetwork::norm(const torch::Tensor& x, const std::string& name, bool training) const {
  return at::batch_norm(x, at(name + ".weight"), at(name + ".bias"), at(name + ".running_mean"),
                        at(name + ".running_var"), training, kNormMomentum, kNormEps,
                        /*cudnn_enabled=*/false);
}

torch::Tensor SuperSimpleNetwork::adapt(const torch::Tensor& features) const {
  return conv(features, kAdapter, type());
}

SuperSimpleNetwork::Output SuperSimpleNetwork::run(const torch::Tensor& adapted, bool training) const {
  const torch::Tensor hidden =
      at::leaky_relu(norm(conv(adapted, kMapHidden, type()), kMapNorm, training), kMapSlope);
  Output out;
  // Judging wants the logits finer than bfloat16's eight bits; training does not, and is faster without.
  out.map = conv(hidden, kMapTail, training ? type() : torch::kFloat).to(torch::kFloat);

  const torch::Tensor map = out.map.detach();
  const torch::Tensor read = at::relu(norm(
      conv(at::cat({adapted, map.to(adapted.scalar_type())}, 1), kScoreConv, type()), kScoreNorm, training));
  const torch::Tensor channels = read.to(torch::kFloat).flatten(2), cells = map.flatten(2);
  // max over one dimension: the gradient goes to one cell, as adaptive max pooling's does.
  out.score =
      at::linear(
          at::cat({std::get<0>(channels.max(2)), channels.mean(2), std::get<0>(cells.max(2)), cells.mean(2)},
                  1),
          at(std::string(kScoreTail) + ".weight"), at(std::string(kScoreTail) + ".bias"))
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
  return {at(std::string(kAdapter) + ".weight"), at(std::string(kAdapter) + ".bias")};
}

std::vector<torch::Tensor> SuperSimpleNetwork::head_parameters() const {
  std::vector<torch::Tensor> out;
  for (const auto& [name, tensor] : tensors_) {
    if (!name.starts_with(kAdapter) && !is_statistic(name)) out.push_back(tensor);
  }
  return out;
}

void SuperSimpleNetwork::require_gradients(bool on) {
  for (auto& [name, tensor] : tensors_) {
    if (!is_statistic(name)) tensor.requires_grad_(on);
  }
}

}  // namespace glint
