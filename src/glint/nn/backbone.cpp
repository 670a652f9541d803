#include "glint/nn/backbone.h"

#include <torch/types.h>

#include <cmath>
#include <cstring>
#include <variant>

#include "glint/base/error.h"
#include "glint/nn/backbone_net.h"
#include "glint/nn/fused_net.h"
#include "glint/nn/no_backbone.h"
#include "glint/nn/tensors.h"
#include "glint/nn/vision_transformer.h"

namespace glint {
namespace {

constexpr double kBatchNormEps = 1e-5;  // torchvision's ResNets
const char* const kTorchUrl = "https://download.pytorch.org/models/";
const char* const kDinoUrl = "https://dl.fbaipublicfiles.com/dinov2/";
const char* const kTorchvisionLicence = "BSD-3-Clause (torchvision)";

std::string layer_name(int layer, int block) {
  return fmt::format("layer{}.{}", layer, block);
}

/// conv1 -> bn1, layer1.0.conv2 -> layer1.0.bn2, layer2.0.downsample.0 -> layer2.0.downsample.1
std::string batch_norm_name(const std::string& conv) {
  if (conv.ends_with("downsample.0")) return conv.substr(0, conv.size() - 1) + "1";
  std::string out = conv;
  out.replace(out.rfind("conv"), 4, "bn");
  return out;
}

/// std::monostate: of kNoBackbone.
using Net = std::variant<std::monostate, BackboneNet, VisionTransformer>;

Net make_net(const BackboneSpec& spec, const TensorDict& folded, const std::string& source) {
  if (is_no_backbone(spec)) return std::monostate();
  if (spec.transformer) return VisionTransformer(*spec.transformer, folded, source);
  return BackboneNet(spec, folded, source);
}

TensorDict check_transformer(const TensorDict& tensors, const TransformerShape& shape,
                             const std::string& file) {
  TensorDict out;
  for (const TensorShape& wanted : transformer_tensors(shape)) {
    const HostTensor& tensor = require_tensor(tensors, wanted.name, wanted.shape, file);
    const std::vector<float> values = to_floats(tensor);
    for (const float v : values) {
      if (!std::isfinite(v))
        fail(ErrorCode::kBadInput, "{}: tensor '{}' holds values that are not finite", file, wanted.name);
    }
    out[wanted.name] = from_floats(values, tensor.shape);
  }
  return out;
}

}  // namespace

const std::vector<BackboneSpec>& backbone_specs() {
  static const std::vector<BackboneSpec> specs = [] {
    const std::array<int, 3> small = {64, 128, 256}, wide = {128, 256, 512};
    auto torchvision = [&](const char* name, std::array<int, 3> blocks, std::array<int, 3> width,
                           bool bottleneck, const char* file) {
      return BackboneSpec{name, blocks, width,     bottleneck,          bottleneck ? 4 : 1,
                          0,    file,   kTorchUrl, kTorchvisionLicence, std::nullopt};
    };
    auto dinov2 = [](const char* name, const TransformerShape& shape, const char* folder, const char* file) {
      BackboneSpec spec;
      spec.name = name;
      spec.transformer = shape;
      spec.official_file = file;
      spec.official_url = std::string(kDinoUrl) + folder + "/";
      spec.licence = "Apache-2.0 (DINOv2)";
      return spec;
    };
    const TransformerShape vit_small{384, 6, 12}, vit_base{768, 12, 12}, vit_large{1024, 16, 24};
    return std::vector<BackboneSpec>{
        {"compact",
         {2, 2, 2},
         small,
         false,
         1,
         0.5,
         "",
         "",
         "BSD-3-Clause (student of torchvision's ResNet-18)",
         std::nullopt},
        torchvision("resnet18", {2, 2, 2}, small, false, "resnet18-f37072fd.pth"),
        torchvision("resnet50", {3, 4, 6}, small, true, "resnet50-0676ba61.pth"),
        torchvision("wide_resnet50_2", {3, 4, 6}, wide, true, "wide_resnet50_2-95faca4d.pth"),
        dinov2("dinov2reg_vit_small_14", vit_small, "dinov2_vits14", "dinov2_vits14_reg4_pretrain.pth"),
        dinov2("dinov2reg_vit_base_14", vit_base, "dinov2_vitb14", "dinov2_vitb14_reg4_pretrain.pth"),
        dinov2("dinov2reg_vit_large_14", vit_large, "dinov2_vitl14", "dinov2_vitl14_reg4_pretrain.pth")};
  }();
  return specs;
}

const BackboneSpec& backbone_spec(const std::string& name) {
  static const BackboneSpec none{.name = kNoBackbone, .blocks = {}, .width = {}};
  if (name == kNoBackbone) return none;
  std::vector<std::string> names;
  for (const BackboneSpec& spec : backbone_specs()) {
    if (spec.name == name) return spec;
    names.push_back(spec.name);
  }
  const std::string nearest = nearest_name(name, names);
  fail(ErrorCode::kConfig, "unknown backbone '{}'{}", name,
       nearest.empty() ? "; `glint backbone list` shows what there is"
                       : fmt::format("; did you mean '{}'?", nearest));
}

std::vector<ConvShape> conv_shapes(const BackboneSpec& spec) {
  std::vector<ConvShape> out;
  out.push_back({"conv1", 64, 3, 7, 2});
  auto three = [&](const std::string& name, int cout, int cin, int stride) {
    if (spec.rank_ratio <= 0) {
      out.push_back({name, cout, cin, 3, stride});
    } else {
      const int rank = static_cast<int>(std::lround(spec.rank_ratio * cout));
      out.push_back({name + ".reduce", rank, cin, 3, stride, false});
      out.push_back({name + ".expand", cout, rank, 1, 1});
    }
  };
  int in = 64;
  for (int layer = 1; layer <= 3; ++layer) {
    const int width = spec.width[layer - 1], cout = spec.channels(layer);
    for (int b = 0; b < spec.blocks[layer - 1]; ++b) {
      const std::string name = layer_name(layer, b);
      const int stride = b == 0 && layer > 1 ? 2 : 1;
      if (spec.bottleneck) {
        out.push_back({name + ".conv1", width, in, 1, 1});
        out.push_back({name + ".conv2", width, width, 3, stride});
        out.push_back({name + ".conv3", cout, width, 1, 1});
      } else {
        three(name + ".conv1", cout, in, stride);
        three(name + ".conv2", cout, cout, 1);
      }
      if (b == 0 && (stride != 1 || in != cout)) out.push_back({name + ".downsample.0", cout, in, 1, stride});
      in = cout;
    }
  }
  return out;
}

BackboneNet::BackboneNet(const BackboneSpec& spec, const TensorDict& folded, const std::string& source)
    : spec_(spec) {
  for (const ConvShape& shape : conv_shapes(spec)) {
    const HostTensor& weight = require_tensor(folded, shape.name + ".weight",
                                              {shape.out, shape.in, shape.kernel, shape.kernel}, source);
    torch::Tensor bias;
    if (shape.has_bias) {
      bias = to_tensor(require_tensor(folded, shape.name + ".bias", {shape.out}, source)).to(torch::kFloat);
    }
    convs_[shape.name] = {to_tensor(weight).to(torch::kFloat), bias};
  }
}

torch::Tensor BackboneNet::conv(const torch::Tensor& x, const std::string& name, int stride) const {
  const auto plain = convs_.find(name);
  if (plain == convs_.end()) return conv(conv(x, name + ".reduce", stride), name + ".expand", 1);
  const auto& [weight, bias] = plain->second;
  return at::conv2d(x, weight, bias, stride, weight.size(2) / 2);
}

torch::Tensor BackboneNet::block(torch::Tensor x, const std::string& name, int stride) const {
  torch::Tensor shortcut = x;
  if (convs_.count(name + ".downsample.0")) shortcut = conv(x, name + ".downsample.0", stride);
  if (spec_.bottleneck) {
    x = torch::relu(conv(x, name + ".conv1", 1));
    x = torch::relu(conv(x, name + ".conv2", stride));
    x = conv(x, name + ".conv3", 1);
  } else {
    x = torch::relu(conv(x, name + ".conv1", stride));
    x = conv(x, name + ".conv2", 1);
  }
  return torch::relu(x + shortcut);
}

FeatureMaps BackboneNet::forward(const torch::Tensor& images) const {
  const torch::Tensor& first = convs_.at("conv1").first;
  torch::Tensor x = images.to(first.device(), first.scalar_type());
  if (first.scalar_type() == torch::kBFloat16) x = x.contiguous(at::MemoryFormat::ChannelsLast);
  x = torch::relu(conv(x, "conv1", 2));
  x = at::max_pool2d(x, 3, 2, 1);
  std::array<torch::Tensor, 3> out;
  for (int layer = 1; layer <= 3; ++layer) {
    for (int b = 0; b < spec_.blocks[layer - 1]; ++b) {
      x = block(x, layer_name(layer, b), b == 0 && layer > 1 ? 2 : 1);
    }
    out[layer - 1] = x;
  }
  return {out[0], out[1], out[2]};
}

std::vector<torch::Tensor> BackboneNet::parameters() const {
  std::vector<torch::Tensor> out;
  for (const auto& [name, conv] : convs_) {
    out.push_back(conv.first);
    if (conv.second.defined()) out.push_back(conv.second);
  }
  return out;
}

TensorDict BackboneNet::to_dict(bool half) const {
  TensorDict out;
  for (const auto& [name, conv] : convs_) {
    const auto type = half ? torch::kHalf : torch::kFloat;
    out[name + ".weight"] = to_host(conv.first.to(type));
    if (conv.second.defined()) out[name + ".bias"] = to_host(conv.second.to(type));
  }
  return out;
}

void BackboneNet::to(const torch::Device& device, Precision precision) {
  GLINT_CHECK(precision != Precision::kAuto);
  const bool fast = precision == Precision::kBFloat16;
  for (auto& [name, conv] : convs_) {
    conv.first = conv.first.to(device, fast ? torch::kBFloat16 : torch::kFloat)
                     .contiguous(fast ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
    if (conv.second.defined()) conv.second = conv.second.to(device, conv.first.scalar_type());
  }
}

struct Backbone::Layers {
  Net net;
  torch::Device device;
};

Backbone::Backbone(const BackboneIdentity& identity, const TensorDict& folded)
    : identity_(identity),
      weights_(std::make_shared<const TensorDict>(folded)),
      spec_(&backbone_spec(identity.name)),
      layers_(std::make_shared<const Layers>(make_net(*spec_, folded, identity.source), torch::kCPU)) {}

Engine Backbone::engine_for(DeviceChoice device, Precision precision, Engine wish) const {
  if (wish == Engine::kOneDnn && spec_->transformer) {
    fail(ErrorCode::kConfig,
         "train.engine = onednn computes convolutional backbones, and {} is a transformer; choose torch or "
         "auto",
         spec_->name);
  }
  const bool none = is_no_backbone(*spec_);
  if (wish == Engine::kOneDnn && none) {
    fail(ErrorCode::kConfig,
         "train.engine = onednn computes convolutional backbones, and the method reads none; choose torch or "
         "auto");
  }
  const Precision resolved = resolve_precision(precision, device);
  const bool on_cpu = resolve_device(device).is_cpu(), runs = FusedNet::runs_here(resolved);
  if (resolved == Precision::kInt8 &&
      (none || spec_->transformer || wish == Engine::kTorch || !on_cpu || !runs)) {
    fail(ErrorCode::kConfig,
         "precision int8 computes a convolutional backbone on a CPU with AVX-512 VNNI by the engine onednn, "
         "and "
         "here {}; choose bfloat16 or float32",
         none                     ? "the method reads no backbone"
         : spec_->transformer     ? "the backbone is a transformer"
         : wish == Engine::kTorch ? "the engine torch is asked for"
         : !on_cpu                ? "a GPU is in use"
                                  : "the CPU lacks it");
  }
  const bool fuses = wish != Engine::kTorch && !none && !spec_->transformer && on_cpu && runs;
  return fuses ? Engine::kOneDnn : Engine::kTorch;
}

void Backbone::to(DeviceChoice device, Precision precision, Engine engine, const ActivationRanges& ranges) {
  engine = engine_for(device, precision, engine);
  precision_ = resolve_precision(precision, device);
  ranges_ = precision_ == Precision::kInt8 ? ranges : ActivationRanges{};
  // From the stored weights: no double rounding.
  Layers layers{make_net(*spec_, *weights_, identity_.source), resolve_device(device)};
  if (auto* net = std::get_if<BackboneNet>(&layers.net)) {
    net->to(layers.device, method_precision(precision_));
  } else if (auto* transformer = std::get_if<VisionTransformer>(&layers.net)) {
    transformer->to(layers.device, precision_ == Precision::kBFloat16 ? torch::kBFloat16 : torch::kFloat);
  }
  fused_ = engine == Engine::kOneDnn
               ? std::make_shared<const FusedNet>(*spec_, *weights_, precision_, identity_.source, ranges)
               : nullptr;
  layers_ = std::make_shared<const Layers>(std::move(layers));
}

ActivationRanges Backbone::activation_ranges(const std::vector<RgbImage>& images) const {
  return FusedNet(*spec_, *weights_, Precision::kFloat32, identity_.source).ranges(images);
}

FeatureMaps Backbone::features(const at::Tensor& images) const {
  const torch::InferenceMode inference;
  GLINT_CHECK(images.dim() == 4 && images.size(1) == 3);
  const auto* net = std::get_if<BackboneNet>(&layers_->net);
  if (!net) {
    fail(ErrorCode::kConfig, "backbone '{}' has no layer2 and layer3; choose a convolutional one",
         spec_->name);
  }
  const FeatureMaps maps = net->forward(images);
  auto back = [](const torch::Tensor& t) { return t.to(torch::kFloat); };
  return {back(maps.layer1), back(maps.layer2), back(maps.layer3)};
}

std::vector<HostBuffer> Backbone::maps(const std::vector<RgbImage>& images,
                                       const std::vector<int>& layers) const {
  if (fused_) return fused_->maps(images, layers);
  const torch::InferenceMode inference;
  const FeatureMaps all = features(images_to_tensor(images, kImageNetMean, kImageNetStd));
  std::vector<HostBuffer> out;
  for (const int layer : layers) {
    GLINT_CHECK(layer >= 1 && layer <= 3);
    out.push_back(share_buffer(layer == 1 ? all.layer1 : layer == 2 ? all.layer2 : all.layer3));
  }
  return out;
}

std::vector<HostBuffer> Backbone::tokens(const std::vector<RgbImage>& images,
                                         const std::vector<int>& blocks) const {
  const torch::InferenceMode inference;
  const auto* net = std::get_if<VisionTransformer>(&layers_->net);
  if (!net) {
    fail(ErrorCode::kConfig, "backbone '{}' has no tokens; choose a transformer, dinov2reg_...", spec_->name);
  }
  const torch::Tensor input = images_to_tensor(images, kImageNetMean, kImageNetStd);
  std::vector<HostBuffer> out;
  for (const torch::Tensor& block : net->block_outputs(input.to(layers_->device), blocks))
    out.push_back(share_buffer(block));
  return out;
}

DeviceChoice Backbone::place() const {
  return layers_->device.is_cuda() ? DeviceChoice::kCuda : DeviceChoice::kCpu;
}

TensorDict fold_backbone(const TensorDict& tensors, const BackboneSpec& spec, const std::string& file) {
  if (spec.transformer) return check_transformer(tensors, *spec.transformer, file);
  TensorDict out;
  for (const ConvShape& shape : conv_shapes(spec)) {
    const HostTensor& weight = require_tensor(tensors, shape.name + ".weight",
                                              {shape.out, shape.in, shape.kernel, shape.kernel}, file);
    std::vector<float> w = to_floats(weight);
    if (!shape.has_bias) {
      out[shape.name + ".weight"] = from_floats(w, weight.shape);
      continue;
    }
    std::vector<float> bias(static_cast<std::size_t>(shape.out), 0.0F);
    auto vector_of = [&](const std::string& name) {
      return to_floats(require_tensor(tensors, name, {shape.out}, file));
    };
    if (tensors.count(shape.name + ".bias")) bias = vector_of(shape.name + ".bias");
    const std::string bn = batch_norm_name(shape.name);
    const bool folded = tensors.count(bn + ".running_mean") == 0;
    if (folded && tensors.count(shape.name + ".bias") == 0) {
      fail(ErrorCode::kBadInput, "{}: neither '{}.running_mean' nor '{}.bias': batch norm is missing", file,
           bn, shape.name);
    }
    if (!folded) {
      const auto gamma = vector_of(bn + ".weight"), beta = vector_of(bn + ".bias");
      const auto mean = vector_of(bn + ".running_mean"), var = vector_of(bn + ".running_var");
      const std::size_t per_channel = w.size() / static_cast<std::size_t>(shape.out);
      for (std::size_t c = 0; c < bias.size(); ++c) {
        const double scale = gamma[c] / std::sqrt(static_cast<double>(var[c]) + kBatchNormEps);
        for (std::size_t i = 0; i < per_channel; ++i) {
          w[c * per_channel + i] = static_cast<float>(w[c * per_channel + i] * scale);
        }
        bias[c] = static_cast<float>(beta[c] + (static_cast<double>(bias[c]) - mean[c]) * scale);
      }
    }
    for (const float v : w) {
      if (!std::isfinite(v))
        fail(ErrorCode::kBadInput, "{}: tensor '{}' holds values that are not finite", file, shape.name);
    }
    out[shape.name + ".weight"] = from_floats(w, weight.shape);
    out[shape.name + ".bias"] = from_floats(bias, {shape.out});
  }
  return out;
}

const BackboneSpec& recognise_backbone(const TensorDict& tensors, const std::string& file) {
  // A transformer is told by its stem's width; what else is missing or odd, the import then names.
  const auto stem = tensors.find("patch_embed.proj.weight");
  for (const BackboneSpec& spec : backbone_specs()) {
    if (spec.transformer) {
      if (stem != tensors.end() && !stem->second.shape.empty() &&
          stem->second.shape[0] == spec.transformer->dimension)
        return spec;
      continue;
    }
    bool fits = tensors.count(layer_name(3, spec.blocks[2]) + ".conv1.weight") == 0;
    for (const ConvShape& shape : conv_shapes(spec)) {
      const auto it = tensors.find(shape.name + ".weight");
      fits = fits && it != tensors.end() &&
             it->second.shape == std::vector<std::int64_t>{shape.out, shape.in, shape.kernel, shape.kernel};
    }
    if (fits) return spec;
  }
  std::string names;
  for (const BackboneSpec& spec : backbone_specs()) names += (names.empty() ? "" : ", ") + spec.name;
  fail(ErrorCode::kBadInput,
       "{}: the tensors fit none of {}; give --arch to see which tensor is missing or has the wrong shape",
       file, names);
}

std::string weights_sha256(const TensorDict& folded) {
  Bytes all;
  auto append = [&all](const void* data, std::size_t n) {
    const auto* p = static_cast<const std::byte*>(data);
    all.insert(all.end(), p, p + n);
  };
  for (const auto& [name, tensor] : folded) {
    append(name.data(), name.size() + 1);
    append(tensor.shape.data(), tensor.shape.size() * sizeof(std::int64_t));
    const std::vector<float> values = to_floats(tensor);
    append(values.data(), values.size() * sizeof(float));
  }
  return sha256_hex(all);
}

TensorDict low_rank_student(const TensorDict& teacher, const BackboneSpec& teacher_spec,
                            const BackboneSpec& student) {
  GLINT_CHECK(!teacher_spec.bottleneck && teacher_spec.blocks == student.blocks && student.rank_ratio > 0);
  TensorDict out;
  for (const ConvShape& shape : conv_shapes(teacher_spec)) {
    const HostTensor& weight = teacher.at(shape.name + ".weight");
    const HostTensor& bias = teacher.at(shape.name + ".bias");
    if (shape.kernel != 3) {
      out[shape.name + ".weight"] = weight;
      out[shape.name + ".bias"] = bias;
      continue;
    }
    const auto rank = static_cast<std::int64_t>(std::lround(student.rank_ratio * shape.out));
    const torch::Tensor w = to_tensor(weight).to(torch::kDouble).reshape({shape.out, -1});
    const auto [u, s, vh] = torch::linalg_svd(w, /*full_matrices=*/false);
    const torch::Tensor root = s.slice(0, 0, rank).sqrt();
    const torch::Tensor expand = u.slice(1, 0, rank) * root;
    const torch::Tensor reduce = vh.slice(0, 0, rank) * root.unsqueeze(1);
    out[shape.name + ".expand.weight"] = to_host(expand.reshape({shape.out, rank, 1, 1}).to(torch::kFloat));
    out[shape.name + ".expand.bias"] = bias;
    out[shape.name + ".reduce.weight"] = to_host(reduce.reshape({rank, shape.in, 3, 3}).to(torch::kFloat));
  }
  return out;
}

}  // namespace glint
