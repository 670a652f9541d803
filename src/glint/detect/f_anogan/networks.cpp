// Generator, critic and encoder of f-AnoGAN.
#include <ATen/ATen.h>

#include "glint/detect/f_anogan/f_anogan.h"

namespace glint {
namespace {

constexpr int kBlocks = 4;
constexpr std::int64_t kMostFAnoganWidths = 8;
constexpr ConvGeometry kFAnoganSame = {1, 1};

}  // namespace

FAnoganNetworks::FAnoganNetworks(const FAnoganOptions& options)
    : channels_(options.channels()),
      latent_(options.latent),
      width_(options.width),
      cells_(options.shared.window >> kBlocks) {
  const std::int64_t coarse = kMostFAnoganWidths * width_;
  for (int i = 1; i <= kBlocks; ++i) {
    const std::string name = "res" + std::to_string(i);
    const std::int64_t fine = width_ << (i - 1);  // width, 2, 4, 8 times it
    const std::int64_t finer_out = std::min(coarse, 2 * fine);
    critic_.push_back({name, fine, finer_out, BlockResize::kHalve, BlockNorm::kLayer});
    encoder_.push_back({name, fine, finer_out, BlockResize::kHalve, BlockNorm::kBatch});
    const std::int64_t in = i == 1 ? coarse : coarse >> (i - 2), out = coarse >> (i - 1);
    generator_.push_back({name, in, out, BlockResize::kDouble, BlockNorm::kBatch});
  }
}

NetLayout FAnoganNetworks::generator_layout() const {
  NetLayout layout;
  layout.linear("input", kMostFAnoganWidths * width_ * cells_ * cells_, latent_);
  for (const ResidualBlock& block : generator_) block.describe(layout);
  describe_norm(layout, "norm", width_, BlockNorm::kBatch);
  return layout.conv("output", channels_, width_, 3, true);
}

NetLayout FAnoganNetworks::downward_layout(const std::vector<ResidualBlock>& blocks, std::int64_t out) const {
  NetLayout layout;
  layout.conv("input", width_, channels_, 3, true);
  for (const ResidualBlock& block : blocks) block.describe(layout);
  return layout.linear("output", out, kMostFAnoganWidths * width_ * cells_ * cells_);
}

NetLayout FAnoganNetworks::critic_layout() const {
  return downward_layout(critic_, 1);
}

NetLayout FAnoganNetworks::encoder_layout() const {
  return downward_layout(encoder_, latent_);
}

torch::Tensor FAnoganNetworks::generate(const TrainableNet& net, const torch::Tensor& code,
                                        bool training) const {
  torch::Tensor t =
      net.linear(code, "input").reshape({code.size(0), kMostFAnoganWidths * width_, cells_, cells_});
  for (const ResidualBlock& block : generator_) t = block.run(net, t, training);
  t = at::relu(block_norm(net, t, "norm", BlockNorm::kBatch, training));
  return at::tanh(net.conv(t, "output", kFAnoganSame).to(torch::kFloat));
}

torch::Tensor FAnoganNetworks::downward(const std::vector<ResidualBlock>& blocks, const TrainableNet& net,
                                        const torch::Tensor& x, bool training) const {
  torch::Tensor t = net.conv(x, "input", kFAnoganSame);
  for (const ResidualBlock& block : blocks) t = block.run(net, t, training);
  return t.flatten(1);
}

FAnoganNetworks::Criticism FAnoganNetworks::criticise(const TrainableNet& net, const torch::Tensor& x) const {
  const torch::Tensor features = downward(critic_, net, x, false);
  return {features, net.linear(features, "output").flatten()};
}

torch::Tensor FAnoganNetworks::encode(const TrainableNet& net, const torch::Tensor& x, bool training) const {
  return at::tanh(net.linear(downward(encoder_, net, x, training), "output").to(torch::kFloat));
}

}  // namespace glint
