#include "glint/detect/inp_former/network.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr double kLayerNormEps = 1e-8;  // published code, unlike the encoder's 1e-6
constexpr double kCosineEps = 1e-8;
constexpr double kInitialStd = 0.01, kInitialCut = 3;  // linear weights: normal, cut at 3 deviations
constexpr int kMlpRatio = 4;

std::vector<TensorShape> parameter_shapes(const InpFormerShape& s) {
  const std::int64_t d = s.dimension();
  std::vector<TensorShape> out = {{"prototype_token", {s.prototypes, d}}};
  auto linear = [&](const std::string& name, std::int64_t rows, std::int64_t columns) {
    out.push_back({name + ".weight", {rows, columns}});
    out.push_back({name + ".bias", {rows}});
  };
  auto mlp = [&](const std::string& name) {
    linear(name + "fc1", kMlpRatio * d, d);
    linear(name + "fc2", d, kMlpRatio * d);
  };
  auto block = [&](const std::string& name) {
    for (const char* n : {"norm1", "norm2"}) {
      out.push_back({name + n + ".weight", {d}});
      out.push_back({name + n + ".bias", {d}});
    }
    linear(name + "attn.q", d, d);
    linear(name + "attn.kv", 2 * d, d);
    linear(name + "attn.proj", d, d);
    mlp(name + "mlp.");
  };
  mlp("bottleneck.0.");
  block("aggregation.0.");
  for (int i = 0; i < s.decoder_blocks; ++i) {
    block(fmt::format("decoder.{}.", i));
    out.push_back({fmt::format("decoder.{}.attn.learn_scale", i), {s.heads, 1, 1}});
  }
  return out;
}

/// [B, N, D] -> [B, heads, N, D / heads]
torch::Tensor split_heads(const torch::Tensor& x, int heads) {
  return x.reshape({x.size(0), x.size(1), heads, -1}).transpose(1, 2);
}
torch::Tensor join_heads(const torch::Tensor& x) {
  return x.transpose(1, 2).reshape({x.size(0), x.size(2), -1});
}

}  // namespace

int InpFormerShape::dimension() const {
  return joined ? std::accumulate(group_widths.begin(), group_widths.end(), 0) : group_widths.at(0);
}

InpFormerNet InpFormerNet::initial(const InpFormerShape& shape, std::uint64_t seed) {
  InpFormerNet net;
  net.shape_ = shape;
  for (const TensorShape& p : parameter_shapes(shape)) {
    torch::Tensor value;
    if (p.name.ends_with("bias")) {
      value = torch::zeros(p.shape);
    } else if (p.name.ends_with("learn_scale") || p.name.find(".norm") != std::string::npos) {
      value = torch::ones(p.shape);
    } else {
      value = torch::empty(p.shape);
      Rng rng(seed, "inp_former.initial", stream_key(p.name));
      const bool token = p.name == "prototype_token";
      auto* data = value.data_ptr<float>();
      for (std::int64_t i = 0; i < value.numel(); ++i) {
        double v = rng.normal();
        while (!token && std::abs(v) > kInitialCut) v = rng.normal();
        data[i] = static_cast<float>(token ? v : kInitialStd * v);
      }
    }
    net.parameters_[p.name] = value;
  }
  return net;
}

InpFormerNet InpFormerNet::from_dict(const InpFormerShape& shape, const TensorDict& tensors,
                                     const std::string& file) {
  InpFormerNet net;
  net.shape_ = shape;
  for (const TensorShape& p : parameter_shapes(shape)) {
    const torch::Tensor value = to_tensor(require_tensor(tensors, p.name, p.shape, file));
    if (!value.is_floating_point() || !at::isfinite(value.to(torch::kFloat)).all().item<bool>())
      fail(ErrorCode::kBadInput, "{}: tensor '{}' holds values that are not finite numbers", file, p.name);
    net.parameters_[p.name] = value.to(torch::kFloat);
  }
  return net;
}

std::int64_t InpFormerNet::parameter_bytes(const InpFormerShape& shape) {
  std::int64_t values = 0;
  for (const TensorShape& p : parameter_shapes(shape)) values += checked_numel(p.shape, p.name);
  return values * static_cast<std::int64_t>(sizeof(float));
}

TensorDict InpFormerNet::to_dict() const {
  TensorDict out;
  for (const auto& [name, value] : parameters_) out[name] = to_host(value);
  return out;
}

void InpFormerNet::require_gradients(bool on) {
  for (auto& [name, value] : parameters_) value = value.detach().clone().set_requires_grad(on);
}

void InpFormerNet::to(const torch::Device& device) {
  for (auto& [name, value] : parameters_) value = value.to(device);
}

torch::Tensor InpFormerNet::linear(const torch::Tensor& x, const std::string& name) const {
  const torch::Tensor &weight = at(name + ".weight"), &bias = at(name + ".bias");
  if (!bfloat16_) return at::linear(x, weight, bias);
  return at::linear(x.to(torch::kBFloat16), weight.to(torch::kBFloat16)).to(torch::kFloat) + bias;
}

torch::Tensor InpFormerNet::norm(const torch::Tensor& x, const std::string& name) const {
  return at::layer_norm(x, {shape_.dimension()}, at(name + ".weight"), at(name + ".bias"), kLayerNormEps);
}

torch::Tensor InpFormerNet::mlp(const torch::Tensor& x, const std::string& name) const {
  if (!bfloat16_) return linear(at::gelu(linear(x, name + ".fc1")), name + ".fc2");
  const torch::Tensor hidden =
      at::linear(x.to(torch::kBFloat16), at(name + ".fc1.weight").to(torch::kBFloat16),
                 at(name + ".fc1.bias").to(torch::kBFloat16));
  return linear(at::gelu(hidden), name + ".fc2");
}

torch::Tensor InpFormerNet::prototypes(const torch::Tensor& tokens) const {
  const std::string name = "aggregation.0.";
  const torch::Tensor learned = at("prototype_token").unsqueeze(0).expand({tokens.size(0), -1, -1});
  const torch::Tensor q = split_heads(linear(norm(learned, name + "norm1"), name + "attn.q"), shape_.heads);
  const auto kv = linear(norm(tokens, name + "norm1"), name + "attn.kv").chunk(2, -1);
  const torch::Tensor k = split_heads(kv[0], shape_.heads), v = split_heads(kv[1], shape_.heads);
  const double scale = 1 / std::sqrt(static_cast<double>(q.size(-1)));
  const torch::Tensor attention = at::softmax(at::matmul(q, k.transpose(-2, -1)) * scale, -1);
  const torch::Tensor mixed = learned + linear(join_heads(at::matmul(attention, v)), name + "attn.proj");
  return mixed + mlp(norm(mixed, name + "norm2"), name + "mlp");
}

torch::Tensor InpFormerNet::decoder_block(const torch::Tensor& x, const torch::Tensor& prototypes,
                                          int index) const {
  const std::string name = fmt::format("decoder.{}.", index);
  auto unit = [](const torch::Tensor& t) { return t / t.norm(2, -1, true).clamp_min(1e-12); };
  const torch::Tensor q = unit(split_heads(linear(norm(x, name + "norm1"), name + "attn.q"), shape_.heads));
  const auto kv = linear(norm(prototypes, name + "norm1"), name + "attn.kv").chunk(2, -1);
  const torch::Tensor k = unit(split_heads(kv[0], shape_.heads)), v = split_heads(kv[1], shape_.heads);
  const torch::Tensor attention =
      at::relu(at::matmul(q, k.transpose(-2, -1)) * at(name + "attn.learn_scale"));
  // No residual around the attention: what the prototypes cannot express is not passed on.
  const torch::Tensor mixed = linear(join_heads(at::matmul(attention, v)), name + "attn.proj");
  return mixed + mlp(norm(mixed, name + "norm2"), name + "mlp");
}

InpFormerNet::Output InpFormerNet::forward(const std::vector<torch::Tensor>& groups) const {
  GLINT_CHECK(groups.size() == shape_.group_widths.size());
  const torch::Tensor tokens = shape_.joined ? at::cat(groups, -1) : at::stack(groups).mean(0);
  const torch::Tensor p = prototypes(tokens);

  auto unit = [](const torch::Tensor& t) { return t / t.norm(2, -1, true).clamp_min(kCosineEps); };
  const torch::Tensor cosine = at::matmul(unit(tokens), unit(p).transpose(1, 2));  // [B, N, prototypes]
  Output out;
  out.coherence_loss = (1 - std::get<0>(cosine.max(-1))).mean();

  torch::Tensor x = mlp(tokens, "bottleneck.0");
  std::vector<torch::Tensor> outputs;
  for (int i = 0; i < shape_.decoder_blocks; ++i) {
    x = decoder_block(x, p, i);
    outputs.push_back(x);
  }
  // The last blocks reconstruct the first group: group g gets the mean of its share of the reversed outputs.
  const auto per_group = static_cast<std::int64_t>(outputs.size() / groups.size());
  std::int64_t channel = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    torch::Tensor sum;
    for (std::int64_t i = 0; i < per_group; ++i) {
      const torch::Tensor& o =
          outputs[outputs.size() - 1 -
                  static_cast<std::size_t>(static_cast<std::int64_t>(g) * per_group + i)];
      sum = sum.defined() ? sum + o : o;
    }
    torch::Tensor mean = sum / static_cast<double>(per_group);
    if (shape_.joined) mean = mean.slice(-1, channel, channel + shape_.group_widths[g]);
    channel += shape_.group_widths[g];
    out.decoded.push_back(mean);
  }
  return out;
}

torch::Tensor reconstruction_loss(const std::vector<torch::Tensor>& groups,
                                  const std::vector<torch::Tensor>& decoded, double mining_exponent) {
  torch::Tensor sum;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    torch::Tensor b = decoded[g];
    if (mining_exponent > 0) {
      const torch::Tensor fixed = b.detach();
      const torch::Tensor distance = 1 - at::cosine_similarity(groups[g], fixed, -1, kCosineEps);
      const torch::Tensor factor = (distance / distance.mean()).pow(mining_exponent).unsqueeze(-1);
      b = fixed + factor * (b - fixed);  // same value, scaled gradient
    }
    const torch::Tensor loss =
        (1 - at::cosine_similarity(groups[g].flatten(1), b.flatten(1), 1, kCosineEps)).mean();
    sum = sum.defined() ? sum + loss : loss;
  }
  return sum / static_cast<double>(groups.size());
}

torch::Tensor token_distances(const std::vector<torch::Tensor>& groups,
                              const std::vector<torch::Tensor>& decoded) {
  torch::Tensor sum;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const torch::Tensor d = 1 - at::cosine_similarity(groups[g], decoded[g], -1, kCosineEps);
    sum = sum.defined() ? sum + d : d;
  }
  return sum / static_cast<double>(groups.size());
}

}  // namespace glint
