#include "glint/nn/vision_transformer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr double kLayerNormEps = 1e-6;
// The published model adds this to the target grid's side when it scales the position table.
constexpr double kInterpolateOffset = 0.1;

}  // namespace

std::vector<TensorShape> transformer_tensors(const TransformerShape& s) {
  const std::int64_t d = s.dimension, hidden = d * s.mlp_ratio;
  std::vector<TensorShape> out = {
      {"cls_token", {1, 1, d}},
      {"register_tokens", {1, s.registers, d}},
      {"pos_embed", {1, 1 + static_cast<std::int64_t>(s.position_grid) * s.position_grid, d}},
      {"patch_embed.proj.weight", {d, 3, s.patch, s.patch}},
      {"patch_embed.proj.bias", {d}}};
  for (int i = 0; i < s.depth; ++i) {
    const std::string b = fmt::format("blocks.{}.", i);
    for (const char* norm : {"norm1", "norm2"}) {
      out.push_back({b + norm + ".weight", {d}});
      out.push_back({b + norm + ".bias", {d}});
    }
    out.push_back({b + "attn.qkv.weight", {3 * d, d}});
    out.push_back({b + "attn.qkv.bias", {3 * d}});
    out.push_back({b + "attn.proj.weight", {d, d}});
    out.push_back({b + "attn.proj.bias", {d}});
    out.push_back({b + "ls1.gamma", {d}});
    out.push_back({b + "ls2.gamma", {d}});
    out.push_back({b + "mlp.fc1.weight", {hidden, d}});
    out.push_back({b + "mlp.fc1.bias", {hidden}});
    out.push_back({b + "mlp.fc2.weight", {d, hidden}});
    out.push_back({b + "mlp.fc2.bias", {d}});
  }
  return out;
}

VisionTransformer::VisionTransformer(const TransformerShape& shape, const TensorDict& tensors,
                                     const std::string& source)
    : shape_(shape) {
  for (const TensorShape& wanted : transformer_tensors(shape)) {
    tensors_[wanted.name] =
        to_tensor(require_tensor(tensors, wanted.name, wanted.shape, source)).to(torch::kFloat);
  }
}

const torch::Tensor& VisionTransformer::at(const std::string& name) const {
  return tensors_.at(name);
}

torch::Tensor VisionTransformer::embed(const torch::Tensor& images) const {
  const torch::Tensor& weight = at("patch_embed.proj.weight");
  GLINT_CHECK(images.dim() == 4 && images.size(2) % shape_.patch == 0 && images.size(3) % shape_.patch == 0);
  const torch::Tensor patches =
      at::conv2d(images.to(weight.scalar_type()), weight, at("patch_embed.proj.bias"), shape_.patch);
  const std::int64_t b = patches.size(0), h = patches.size(2), w = patches.size(3);
  const std::int64_t n = shape_.position_grid;
  // Positions: the table's first row is the class token's and stays as it is.
  const torch::Tensor table = at("pos_embed").to(torch::kFloat);
  torch::Tensor grid = table.slice(1, 1);
  if (h != n || w != n) {
    const double scale_h = (static_cast<double>(h) + kInterpolateOffset) / static_cast<double>(n);
    const double scale_w = (static_cast<double>(w) + kInterpolateOffset) / static_cast<double>(n);
    grid = at::upsample_bicubic2d(grid.reshape({1, n, n, -1}).permute({0, 3, 1, 2}).contiguous(), {h, w},
                                  /*align_corners=*/false, scale_h, scale_w);
    grid = grid.permute({0, 2, 3, 1}).reshape({1, h * w, -1});
  }
  const auto type = weight.scalar_type();
  const torch::Tensor tokens = patches.flatten(2).transpose(1, 2) + grid.to(type);
  const torch::Tensor cls = (at("cls_token").to(torch::kFloat) + table.slice(1, 0, 1)).to(type);
  return at::cat({cls.expand({b, -1, -1}), at("register_tokens").expand({b, -1, -1}), tokens}, 1);
}

torch::Tensor VisionTransformer::block(const torch::Tensor& x, int index) const {
  const std::string name = fmt::format("blocks.{}.", index);
  const std::int64_t b = x.size(0), n = x.size(1), d = x.size(2), heads = shape_.heads;
  auto norm = [&](const torch::Tensor& t, const char* which) {
    return at::layer_norm(t, {d}, at(name + which + ".weight"), at(name + which + ".bias"), kLayerNormEps);
  };
  auto linear = [&](const torch::Tensor& t, const char* which) {
    return at::linear(t, at(name + which + ".weight"), at(name + which + ".bias"));
  };
  const torch::Tensor qkv =
      linear(norm(x, "norm1"), "attn.qkv").reshape({b, n, 3, heads, d / heads}).permute({2, 0, 3, 1, 4});
  const double scale = 1 / std::sqrt(static_cast<double>(d / heads));
  const torch::Tensor attention = at::softmax(at::matmul(qkv[0] * scale, qkv[1].transpose(-2, -1)), -1);
  torch::Tensor mixed = at::matmul(attention, qkv[2]).transpose(1, 2).reshape({b, n, d});
  const torch::Tensor middle = x + linear(mixed, "attn.proj") * at(name + "ls1.gamma");
  const torch::Tensor hidden = at::gelu(linear(norm(middle, "norm2"), "mlp.fc1"));
  return middle + linear(hidden, "mlp.fc2") * at(name + "ls2.gamma");
}

std::vector<torch::Tensor> VisionTransformer::block_outputs(const torch::Tensor& images,
                                                            const std::vector<int>& blocks) const {
  GLINT_CHECK(!blocks.empty() && std::is_sorted(blocks.begin(), blocks.end()) && blocks.front() >= 0 &&
              blocks.back() < shape_.depth);
  torch::Tensor x = embed(images);
  std::vector<torch::Tensor> out;
  for (int i = 0; i <= blocks.back(); ++i) {
    x = block(x, i);
    if (std::binary_search(blocks.begin(), blocks.end(), i))
      out.push_back(x.slice(1, 1 + shape_.registers).to(torch::kFloat));
  }
  return out;
}

void VisionTransformer::to(const torch::Device& device, torch::ScalarType type) {
  for (auto& [name, tensor] : tensors_) tensor = tensor.to(device, type);
}

}  // namespace glint
