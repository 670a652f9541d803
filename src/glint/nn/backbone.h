// Frozen feature extractors: torchvision's ResNet-18, ResNet-50 and WideResNet-50-2 up to layer3, glint's
// compact student of ResNet-18, and DINOv2 transformers (nn/vision_transformer.h). Batch norm is folded into
// the convolutions. Inference only; nn/distill.h trains students.
#pragma once

#include <torch/types.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "glint/nn/tensor_dict.h"
#include "glint/nn/tensors.h"
#include "glint/nn/vision_transformer.h"

namespace glint {

/// What a network looks like. Stride 2 sits on the 3x3 convolution of each layer's first block ("V1.5").
struct BackboneSpec {
  std::string name;
  std::array<int, 3> blocks;  ///< per layer1..3
  std::array<int, 3> width;   ///< of the 3x3 convolutions
  bool bottleneck = false;    ///< 1x1, 3x3, 1x1 instead of 3x3, 3x3
  int expansion = 1;          ///< output channels = 64 * 2^layer * expansion
  double rank_ratio = 0;      ///< > 0: 3x3 convolutions are a 3x3 to rank_ratio * output channels, then a 1x1
  int simplenet_dimension = 0;  ///< default embedding dimension
  std::string official_file;    ///< where the framework publishes it; empty for ours
  std::string official_url;
  std::string licence;
  /// Set for a vision transformer; the convolutional fields above mean nothing then.
  std::optional<TransformerShape> transformer;

  int channels(int layer) const { return 64 * (1 << (layer - 1)) * expansion; }
  /// Input sides must be multiples of this.
  int input_multiple() const { return transformer ? transformer->patch : 1; }
};

/// The visible list of networks.
const std::vector<BackboneSpec>& backbone_specs();
/// Error(kConfig) with the nearest name when unknown.
const BackboneSpec& backbone_spec(const std::string& name);

/// ImageNet statistics of torchvision's preprocessing, RGB on [0, 1].
inline constexpr std::array<double, 3> kImageNetMean = {0.485, 0.456, 0.406};
inline constexpr std::array<double, 3> kImageNetStd = {0.229, 0.224, 0.225};

/// One convolution of a network: its tensor name without ".weight", and the shape its weight must have.
struct ConvShape {
  std::string name;
  int out = 0, in = 0, kernel = 0, stride = 1;
  bool has_bias = true;
};
std::vector<ConvShape> conv_shapes(const BackboneSpec& spec);

struct FeatureMaps {
  torch::Tensor layer1, layer2, layer3;  ///< [B, C, H/4, W/4], [B, C, H/8, W/8], [B, C, H/16, W/16]
};

/// Convolution weights of a network as trainable or frozen tensors; forward() is differentiable.
class BackboneNet {
 public:
  BackboneNet(const BackboneSpec& spec, const TensorDict& folded, const std::string& source);

  /// images [B, 3, H, W], normalised, in the network's type and device. Any H, W >= 32.
  FeatureMaps forward(const torch::Tensor& images) const;
  const BackboneSpec& spec() const { return spec_; }
  std::vector<torch::Tensor> parameters() const;
  TensorDict to_dict(bool half) const;
  void to(const torch::Device& device, torch::ScalarType type, bool channels_last);

 private:
  torch::Tensor conv(const torch::Tensor& x, const std::string& name, int stride) const;
  torch::Tensor block(torch::Tensor x, const std::string& name, int stride) const;

  BackboneSpec spec_;
  std::map<std::string, std::pair<torch::Tensor, torch::Tensor>> convs_;  // weight, bias (may be undefined)
};

/// Identity and origin of weights, kept in every file that holds them.
struct BackboneIdentity {
  std::string name;    ///< of the BackboneSpec
  std::string sha256;  ///< over names, shapes and float32 values of the folded tensors
  std::string source;  ///< file it came from, or how it was made
  std::string licence;
};

/// A frozen network ready to run. Const methods may run from several threads.
class Backbone {
 public:
  Backbone(const BackboneIdentity& identity, const TensorDict& folded);

  void to(const torch::Device& device, Precision precision);
  /// Normalised float32 images [B, 3, H, W] to float32 feature maps; no gradient. Convolutional ones only.
  FeatureMaps features(const torch::Tensor& images) const;
  /// Outputs of a transformer's target blocks, each float32 [B, positions, D]; no gradient.
  std::vector<torch::Tensor> target_outputs(const torch::Tensor& images) const;

  const BackboneIdentity& identity() const { return identity_; }
  const BackboneSpec& spec() const { return *spec_; }
  const TensorDict& weights() const { return *weights_; }
  torch::Device device() const { return device_; }
  Precision precision() const { return precision_; }

 private:
  BackboneIdentity identity_;
  std::shared_ptr<const TensorDict> weights_;
  const BackboneSpec* spec_;
  std::variant<BackboneNet, VisionTransformer> net_;
  torch::Device device_{torch::kCPU};
  Precision precision_ = Precision::kFloat32;
};

/// The tensors that a network needs, as float32: every name and shape checked against `spec`, batch norm (eps
/// 1e-5) folded into the convolutions where it is present, layer4, fc, mask token and the like dropped.
/// Error(kBadInput) names the missing or odd tensor.
TensorDict fold_backbone(const TensorDict& tensors, const BackboneSpec& spec, const std::string& file);

/// The spec whose blocks and widths fit the tensors; Error(kBadInput) when none does.
const BackboneSpec& recognise_backbone(const TensorDict& tensors, const std::string& file);

/// SHA-256 over names, shapes and float32 values.
std::string weights_sha256(const TensorDict& folded);

/// The compact student's starting point: each 3x3 convolution of the teacher replaced by its best low-rank
/// pair (truncated singular value decomposition of [out, in*9]).
TensorDict low_rank_student(const TensorDict& teacher, const BackboneSpec& teacher_spec,
                            const BackboneSpec& student);

}  // namespace glint
