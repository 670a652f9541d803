// Reverse Distillation's networks behind the frozen backbone: the bottleneck that fuses its three layers, and
// the decoder, a ResNet turned round. Loss and map beside them; training: reverse_distillation.cpp.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "glint/detect/trainable_net.h"
#include "glint/nn/backbone_spec.h"

namespace glint {

class ReverseDistillationNetwork {
 public:
  /// The published first values, seeded: Kaiming-normal convolutions, torch's default for transposed ones.
  static ReverseDistillationNetwork initial(const BackboneSpec& teacher, std::uint64_t seed);
  /// From bottleneck.<published name> and decoder.<published name>. Error(kBadInput) naming `file` and the
  /// tensor that is missing, has the wrong shape, is not finite, or is a negative variance.
  static ReverseDistillationNetwork from_dict(const TensorDict& tensors, const BackboneSpec& teacher,
                                              const std::string& file);
  static std::int64_t bytes(const BackboneSpec& teacher);
  TensorDict to_dict() const { return net_.to_dict(); }

  /// The teacher's layer1 to layer3 [B, C, H, W] -> the code [B, 8 * channels(1), h, w], h and w half of
  /// layer3's, rounded up.
  torch::Tensor encode(const std::vector<torch::Tensor>& teacher, bool training) const;
  /// The code -> what layer1 to layer3 should be, in their shapes `like`, float32. The decoder doubles its
  /// grids; a layer with an odd side is cut at its last row or column (the published sizes are all even).
  std::vector<torch::Tensor> decode(const torch::Tensor& code, const std::vector<torch::Tensor>& like,
                                    bool training) const;

  /// Of "bottleneck.", "decoder." or both.
  std::vector<torch::Tensor> parameters(const std::string& part = "") const { return net_.parameters(part); }
  void require_gradients(bool on) { net_.require_gradients(on); }
  /// Convolutions in bfloat16 with float32 sums.
  void use_bfloat16(bool on) { net_.use_bfloat16(on); }

 private:
  ReverseDistillationNetwork(TrainableNet net, BackboneSpec teacher)
      : net_(std::move(net)), teacher_(std::move(teacher)) {}

  TrainableNet net_;
  BackboneSpec teacher_;
};

/// Sum over the layers of the mean over the images of 1 - cosine, a layer's whole map as one vector. teacher,
/// decoded: [B, C, H, W] of one type.
torch::Tensor reverse_distillation_loss(const std::vector<torch::Tensor>& teacher,
                                        const std::vector<torch::Tensor>& decoded);

/// 1 - cosine over the channels: [B, C, H, W] twice -> [B, H, W].
torch::Tensor cosine_distance(const torch::Tensor& teacher, const torch::Tensor& decoded);

/// Sum over the layers of cosine_distance, each bilinear with corner alignment to height x width: [B, height,
/// width].
torch::Tensor distance_sum(const std::vector<torch::Tensor>& teacher,
                           const std::vector<torch::Tensor>& decoded, std::int64_t height,
                           std::int64_t width);

}  // namespace glint
