#include "glint/detect/trainable_net.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "glint/base/error.h"
#include "glint/detect/seeded_tensors.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr double kBatchNormMomentum = 0.1;
constexpr double kDcganStd = 0.02;

bool is_trained(TensorKind kind) {
  return kind != TensorKind::kMean && kind != TensorKind::kVariance && kind != TensorKind::kFixed;
}

torch::Tensor first_value(const NetLayout::Entry& entry, InitialWeights rule, Rng& rng) {
  const auto inputs = static_cast<double>(entry.inputs), outputs = static_cast<double>(entry.outputs);
  switch (entry.kind) {
    case TensorKind::kWeight:
    case TensorKind::kTransposedWeight:
      switch (rule) {
        case InitialWeights::kTorch:
          return uniform_tensor(entry.shape, 1 / std::sqrt(inputs), rng);
        case InitialWeights::kXavierNormal:
          return normal_tensor(entry.shape, std::sqrt(2 / (inputs + outputs)), rng);
        case InitialWeights::kKaiming:
          return entry.kind == TensorKind::kTransposedWeight
                     ? uniform_tensor(entry.shape, 1 / std::sqrt(inputs), rng)
                     : normal_tensor(entry.shape, std::sqrt(2 / outputs), rng);
        case InitialWeights::kDcgan:
          return normal_tensor(entry.shape, kDcganStd, rng);
      }
      break;
    case TensorKind::kBias:
      return rule == InitialWeights::kKaiming ? torch::zeros(entry.shape)
                                              : uniform_tensor(entry.shape, 1 / std::sqrt(inputs), rng);
    case TensorKind::kNormScale:
      return rule == InitialWeights::kDcgan ? normal_tensor(entry.shape, kDcganStd, rng) + 1
                                            : torch::ones(entry.shape);
    case TensorKind::kVariance:
      return torch::ones(entry.shape);
    case TensorKind::kNormShift:
    case TensorKind::kMean:
    case TensorKind::kFixed:
      break;
  }
  return torch::zeros(entry.shape);
}

/// x [B, C, h, w] with so many channels of zeros behind. libtorch 1.13's bfloat16 convolutions read channels
/// in pairs: with an odd number they read on behind the last one, and what is no number there (memory that
/// nobody wrote) times the zero weight that it meets makes the result none.
torch::Tensor with_channels(const torch::Tensor& x, std::int64_t more) {
  return more == 0 ? x : at::constant_pad_nd(x, {0, 0, 0, 0, 0, more});
}

}  // namespace

NetLayout& NetLayout::add(Entry entry) {
  entries_.push_back(std::move(entry));
  return *this;
}

NetLayout& NetLayout::conv(const std::string& name, std::int64_t out, std::int64_t in, std::int64_t kernel,
                           bool bias) {
  const std::int64_t inputs = in * kernel * kernel, outputs = out * kernel * kernel;
  add({name + ".weight", {out, in, kernel, kernel}, TensorKind::kWeight, inputs, outputs});
  return bias ? add({name + ".bias", {out}, TensorKind::kBias, inputs, outputs}) : *this;
}

NetLayout& NetLayout::conv_transpose(const std::string& name, std::int64_t out, std::int64_t in,
                                     std::int64_t kernel, bool bias) {
  // torch counts the inputs of a transposed convolution by the weight's second size, which is the outputs'.
  const std::int64_t inputs = out * kernel * kernel, outputs = in * kernel * kernel;
  add({name + ".weight", {in, out, kernel, kernel}, TensorKind::kTransposedWeight, inputs, outputs});
  return bias ? add({name + ".bias", {out}, TensorKind::kBias, inputs, outputs}) : *this;
}

NetLayout& NetLayout::linear(const std::string& name, std::int64_t out, std::int64_t in, bool bias) {
  add({name + ".weight", {out, in}, TensorKind::kWeight, in, out});
  return bias ? add({name + ".bias", {out}, TensorKind::kBias, in, out}) : *this;
}

NetLayout& NetLayout::batch_norm(const std::string& name, std::int64_t channels) {
  add({name + ".weight", {channels}, TensorKind::kNormScale});
  add({name + ".bias", {channels}, TensorKind::kNormShift});
  add({name + ".running_mean", {channels}, TensorKind::kMean});
  return add({name + ".running_var", {channels}, TensorKind::kVariance});
}

std::int64_t NetLayout::bytes() const {
  std::int64_t values = 0;
  for (const Entry& entry : entries_) values += checked_numel(entry.shape, entry.name);
  return values * static_cast<std::int64_t>(sizeof(float));
}

TrainableNet TrainableNet::initial(const NetLayout& layout, InitialWeights rule, std::uint64_t seed,
                                   std::string_view stream) {
  Rng rng(seed, stream);
  TrainableNet net;
  net.entries_ = layout.entries();
  for (const NetLayout::Entry& entry : net.entries_) net.tensors_[entry.name] = first_value(entry, rule, rng);
  return net;
}

TrainableNet TrainableNet::from_dict(const NetLayout& layout, const TensorDict& tensors,
                                     const std::string& file, const std::string& prefix) {
  TrainableNet net;
  net.entries_ = layout.entries();
  for (const NetLayout::Entry& entry : net.entries_) {
    const std::string name = prefix + entry.name;
    const HostTensor& t = require_tensor(tensors, name, entry.shape, file);
    if (t.dtype != DType::kF32)
      fail(ErrorCode::kBadInput, "{}: tensor '{}' must be F32; train it again", file, name);
    if (!all_finite(t)) {
      fail(ErrorCode::kBadInput, "{}: tensor '{}' holds values that are not finite; train it again", file,
           name);
    }
    const torch::Tensor value = to_tensor(t);
    if (entry.kind == TensorKind::kVariance && value.numel() > 0 && value.min().item<float>() < 0)
      fail(ErrorCode::kBadInput, "{}: tensor '{}' has a negative variance; train it again", file, name);
    net.tensors_[entry.name] = value;
  }
  return net;
}

TensorDict TrainableNet::to_dict(const std::string& prefix) const {
  TensorDict out;
  for (const auto& [name, tensor] : tensors_) out[prefix + name] = to_host(tensor.detach());
  return out;
}

const torch::Tensor& TrainableNet::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  GLINT_CHECK(found != tensors_.end());
  return found->second;
}

std::vector<torch::Tensor> TrainableNet::parameters(const std::string& prefix) const {
  std::vector<torch::Tensor> out;
  for (const NetLayout::Entry& entry : entries_) {
    if (is_trained(entry.kind) && entry.name.starts_with(prefix)) out.push_back(at(entry.name));
  }
  return out;
}

void TrainableNet::require_gradients(bool on) {
  for (const NetLayout::Entry& entry : entries_) {
    if (is_trained(entry.kind)) tensors_[entry.name].requires_grad_(on);
  }
}

torch::Tensor TrainableNet::bias(const std::string& name) const {
  const auto found = tensors_.find(name + ".bias");
  return found == tensors_.end() ? torch::Tensor() : found->second.to(type());
}

torch::Tensor TrainableNet::conv(const torch::Tensor& x, const std::string& name,
                                 ConvGeometry geometry) const {
  const torch::Tensor weight = at(name + ".weight").to(type());
  const auto run = [&](const torch::Tensor& in, const torch::Tensor& w, const torch::Tensor& b) {
    return at::conv2d(in, w, b, geometry.stride, geometry.padding, geometry.dilation);
  };
  const std::int64_t outputs = weight.size(0), odd_out = outputs % 2, odd_in = weight.size(1) % 2;
  const torch::Tensor added = bias(name), in = x.to(type());
  if (!bfloat16_ || (odd_out == 0 && odd_in == 0)) return run(in, weight, added);
  return run(with_channels(in, odd_in), at::constant_pad_nd(weight, {0, 0, 0, 0, 0, odd_in, 0, odd_out}),
             added.defined() ? at::constant_pad_nd(added, {0, odd_out}) : added)
      .narrow(1, 0, outputs);
}

torch::Tensor TrainableNet::conv_transpose(const torch::Tensor& x, const std::string& name,
                                           ConvGeometry geometry) const {
  // libtorch 1.13 has no fast bfloat16 kernel for it: Reverse Distillation did no step in a minute, against 2
  // s.
  const auto added = tensors_.find(name + ".bias");
  return at::conv_transpose2d(x.to(torch::kFloat), at(name + ".weight"),
                              added == tensors_.end() ? torch::Tensor() : added->second, geometry.stride,
                              geometry.padding, geometry.output_padding, 1, geometry.dilation);
}

torch::Tensor TrainableNet::linear(const torch::Tensor& x, const std::string& name) const {
  return at::linear(x.to(type()), at(name + ".weight").to(type()), bias(name));
}

torch::Tensor TrainableNet::batch_norm(const torch::Tensor& x, const std::string& name, bool training,
                                       double eps) const {
  return at::batch_norm(x, at(name + ".weight"), at(name + ".bias"), at(name + ".running_mean"),
                        at(name + ".running_var"), training, kBatchNormMomentum, eps,
                        /*cudnn_enabled=*/false);
}

std::vector<torch::Tensor> take_gradients(const std::vector<torch::Tensor>& parameters) {
  std::vector<torch::Tensor> gradients;
  for (const torch::Tensor& p : parameters) {
    gradients.push_back(p.grad().defined() ? p.grad().contiguous() : torch::zeros(p.sizes()));
    p.mutable_grad().reset();
  }
  return gradients;
}

std::vector<torch::Tensor> gradients_of(const torch::Tensor& loss,
                                        const std::vector<torch::Tensor>& parameters, bool keep_graph) {
  std::vector<torch::Tensor> gradients = torch::autograd::grad({loss}, parameters, {}, keep_graph,
                                                               /*create_graph=*/false, /*allow_unused=*/true);
  for (std::size_t i = 0; i < parameters.size(); ++i)
    gradients[i] = gradients[i].defined() ? gradients[i].contiguous() : torch::zeros(parameters[i].sizes());
  return gradients;
}

}  // namespace glint
