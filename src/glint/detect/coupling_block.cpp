#include "glint/detect/coupling_block.h"

#include <ATen/ATen.h>

#include <cmath>

#include "glint/base/error.h"
#include "glint/detect/seeded_tensors.h"

namespace glint {
namespace {

// All of FrEIA's AllInOneBlock.
constexpr double kSubnetFactor = 0.1;
constexpr double kScaleFactor = 0.1, kScaleBeta = 0.5;  // of the softplus that makes a channel's scale

/// What makes a channel's scale 1.
double first_gamma() {
  return std::log(std::expm1(kScaleBeta / kScaleFactor)) / kScaleBeta;
}

std::int64_t changed_channels(const CouplingShape& shape) {
  return shape.channels / 2;
}

std::string mixing_tensor(const std::string& name, const CouplingShape& shape) {
  return name + (shape.mixing == ChannelMixing::kRotation ? ".rotation" : ".permutation");
}

/// Uniform over all rotations (determinant 1): the orthogonal factor of a Gaussian matrix, signs as of a
/// positive diagonal of the triangular one, the last row turned where the determinant is -1.
torch::Tensor draw_rotation(std::int64_t n, Rng& rng) {
  const auto [q, r] = at::linalg_qr(normal_tensor({n, n}, 1, rng).to(torch::kDouble));
  const torch::Tensor rotation = q * r.diagonal().sign();
  if (at::linalg_det(rotation).item<double>() < 0) rotation[n - 1].neg_();
  return rotation.to(torch::kFloat);
}

bool is_permutation_of_all(const torch::Tensor& values) {
  const torch::Tensor sorted = std::get<0>(values.sort());
  return sorted.equal(at::arange(values.numel(), values.options()));
}

bool is_rotation(const torch::Tensor& r) {
  constexpr double kTolerance = 1e-3;
  const torch::Tensor rows = r.to(torch::kDouble);
  return (at::mm(rows, rows.t()) - at::eye(r.size(0), rows.options())).abs().max().item<double>() <
         kTolerance;
}

torch::Tensor subnet(const TrainableNet& net, const std::string& name, const CouplingShape& shape,
                     const torch::Tensor& x) {
  if (shape.kernel == 0) return net.linear(at::relu(net.linear(x, name + ".fc1")), name + ".fc2");
  const ConvGeometry same{.padding = shape.kernel / 2};
  return net.conv(at::relu(net.conv(x, name + ".conv1", same)), name + ".conv2", same);
}

}  // namespace

void add_coupling_block(NetLayout& layout, const std::string& name, const CouplingShape& shape) {
  const std::int64_t changed = changed_channels(shape), read = shape.channels - changed + shape.condition;
  if (shape.kernel == 0) {
    layout.linear(name + ".fc1", shape.hidden, read).linear(name + ".fc2", 2 * changed, shape.hidden);
  } else {
    layout.conv(name + ".conv1", shape.hidden, read, shape.kernel, true)
        .conv(name + ".conv2", 2 * changed, shape.hidden, shape.kernel, true);
  }
  std::vector<std::int64_t> mixing = {shape.channels};
  layout.add({name + ".gamma", mixing, TensorKind::kNormShift});
  layout.add({name + ".offset", mixing, TensorKind::kNormShift});
  if (shape.mixing == ChannelMixing::kRotation) mixing.push_back(shape.channels);
  layout.add({mixing_tensor(name, shape), mixing, TensorKind::kFixed});
}

void start_coupling_block(TrainableNet& net, const std::string& name, const CouplingShape& shape, Rng& rng) {
  const torch::NoGradGuard no_grad;
  net.at(name + ".gamma").fill_(first_gamma());
  const torch::Tensor& mixing = net.at(mixing_tensor(name, shape));
  if (shape.mixing == ChannelMixing::kRotation) {
    mixing.copy_(draw_rotation(shape.channels, rng));
  } else {
    std::vector<float> order;
    for (const int channel : permutation(shape.channels, Rng(rng.bits())))
      order.push_back(static_cast<float>(channel));
    mixing.copy_(torch::tensor(order));
  }
}

void check_coupling_block(const TrainableNet& net, const std::string& name, const CouplingShape& shape,
                          const std::string& file) {
  const bool rotation = shape.mixing == ChannelMixing::kRotation;
  const std::string tensor = mixing_tensor(name, shape);
  if (rotation ? !is_rotation(net.at(tensor)) : !is_permutation_of_all(net.at(tensor))) {
    fail(ErrorCode::kBadInput, "{}: tensor '{}' is no {}; train it again", file, tensor,
         rotation ? "rotation" : "order of all channels");
  }
}

FlowOutput couple(const TrainableNet& net, const std::string& name, const CouplingShape& shape,
                  const torch::Tensor& x, const torch::Tensor& condition) {
  const std::int64_t changed = changed_channels(shape), kept = shape.channels - changed;
  const torch::Tensor x1 = x.narrow(1, 0, kept), x2 = x.narrow(1, kept, changed);
  const torch::Tensor read = condition.defined() ? at::cat({x1, condition}, 1) : x1;
  const torch::Tensor a = subnet(net, name, shape, read).to(torch::kFloat) * kSubnetFactor;
  const torch::Tensor raw = a.narrow(1, 0, changed), shift = a.narrow(1, changed, changed);
  const torch::Tensor s = (shape.form == ClampForm::kDivided ? raw / shape.clamp : raw).tanh() * shape.clamp;
  const torch::Tensor y = at::cat({x1, x2 * s.exp() + shift}, 1);

  std::vector<std::int64_t> per_channel(static_cast<std::size_t>(x.dim()), 1);
  per_channel[1] = shape.channels;
  const torch::Tensor scale = at::softplus(net.at(name + ".gamma"), kScaleBeta) * kScaleFactor;
  const torch::Tensor moved = y * scale.reshape(per_channel) + net.at(name + ".offset").reshape(per_channel);
  const torch::Tensor& mixing = net.at(mixing_tensor(name, shape));
  FlowOutput out;
  if (shape.mixing == ChannelMixing::kPermutation) {
    out.z = moved.index_select(1, mixing.to(torch::kLong));
  } else {
    GLINT_CHECK(x.dim() == 2);
    out.z = at::linear(moved, mixing);
  }
  const auto positions = static_cast<double>(x[0][0].numel());
  out.log_det = s.flatten(1).sum(1) + scale.log().sum() * positions;
  return out;
}

std::string CouplingFlow::block(std::size_t i) const {
  return fmt::format("{}.block{}", name_, i);
}

void CouplingFlow::add_to(NetLayout& layout) const {
  for (std::size_t i = 0; i < blocks_.size(); ++i) add_coupling_block(layout, block(i), blocks_[i]);
}

void CouplingFlow::start(TrainableNet& net, Rng& rng) const {
  for (std::size_t i = 0; i < blocks_.size(); ++i) start_coupling_block(net, block(i), blocks_[i], rng);
}

void CouplingFlow::check(const TrainableNet& net, const std::string& file) const {
  for (std::size_t i = 0; i < blocks_.size(); ++i) check_coupling_block(net, block(i), blocks_[i], file);
}

FlowOutput CouplingFlow::run(const TrainableNet& net, const torch::Tensor& x,
                             const torch::Tensor& condition) const {
  FlowOutput all{x, torch::zeros({x.size(0)})};
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    FlowOutput one = couple(net, block(i), blocks_[i], all.z, condition);
    all = {one.z, all.log_det + one.log_det};
  }
  return all;
}

}  // namespace glint
