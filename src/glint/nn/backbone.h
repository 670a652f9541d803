// Frozen feature extractors: torchvision's ResNet-18, ResNet-50 and WideResNet-50-2 up to layer3, glint's
// compact student of ResNet-18, and DINOv2 transformers (nn/vision_transformer.h). Batch norm is folded into
// the convolutions. Inference only; nn/distill.h trains students. Free of libtorch; nn/backbone_net.h has the
// layers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "glint/nn/activation_ranges.h"
#include "glint/nn/backbone_spec.h"
#include "glint/nn/feature_extractor.h"
#include "glint/nn/tensor_dict.h"

namespace at {
class Tensor;
}

namespace glint {

struct FeatureMaps;  // nn/backbone_net.h
class FusedNet;

/// A frozen network ready to run. Const methods may run from several threads.
class Backbone : public FeatureExtractor {
 public:
  Backbone(const BackboneIdentity& identity, const TensorDict& folded);

  /// Auto: what suits the machine and the network. An engine that the machine lacks is replaced by libtorch,
  /// but not where int8 is asked for, which needs `ranges`. Error(kConfig) when the device is absent, or the
  /// network or the machine has no such engine; Error(kBadInput) when a range is missing.
  void to(DeviceChoice device, Precision precision, Engine engine = Engine::kTorch,
          const ActivationRanges& ranges = {});
  /// The engine that to() would take; nothing is made.
  Engine engine_for(DeviceChoice device, Precision precision, Engine wish) const;
  /// What int8 needs, from images of one size; of a convolutional network.
  ActivationRanges activation_ranges(const std::vector<RgbImage>& images) const;
  /// Always by libtorch. Normalised float32 images [B, 3, H, W] to float32 feature maps; no gradient.
  /// Convolutional ones only.
  FeatureMaps features(const at::Tensor& images) const;
  std::vector<HostBuffer> maps(const std::vector<RgbImage>& images,
                               const std::vector<int>& layers) const override;
  std::vector<HostBuffer> tokens(const std::vector<RgbImage>& images,
                                 const std::vector<int>& blocks) const override;

  const BackboneIdentity& identity() const { return identity_; }
  const BackboneSpec& spec() const override { return *spec_; }
  Precision precision() const override { return method_precision(precision_); }
  Engine engine() const override { return fused_ ? Engine::kOneDnn : Engine::kTorch; }
  DeviceChoice place() const override;
  const TensorDict& weights() const { return *weights_; }
  const ActivationRanges& ranges() const { return ranges_; }  ///< as given to to(); empty but for int8

 private:
  BackboneIdentity identity_;
  std::shared_ptr<const TensorDict> weights_;
  const BackboneSpec* spec_;
  struct Layers;
  std::shared_ptr<const Layers> layers_;   ///< libtorch's
  std::shared_ptr<const FusedNet> fused_;  ///< with Engine::kOneDnn
  Precision precision_ = Precision::kFloat32;
  ActivationRanges ranges_;
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
