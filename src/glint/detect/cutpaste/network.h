// CutPaste's network: a ResNet-18 trained from the start, whose mean of layer4 is the vector that judges, and
// the head that tells good pictures, cuts and scars apart while it trains.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "glint/detect/trainable_resnet.h"

namespace glint {

/// The head: hidden widths, each a linear map with bias, batch norm and ReLU, then a linear map to 3 classes.
struct CutPasteHead {
  std::int64_t inputs = 512;
  std::vector<std::int64_t> widths;
};
/// <prefix>0, 1, (ReLU 2), 3, 4, ... as a sequence numbers them.
NetLayout cutpaste_head_layout(const CutPasteHead& head, const std::string& prefix = "");
/// vectors [B, inputs] -> logits [B, 3]: good, cut, scar.
torch::Tensor run_cutpaste_head(const TrainableNet& net, const CutPasteHead& head, torch::Tensor vectors,
                                bool training, const std::string& prefix = "");

inline constexpr std::int64_t kCutPasteVector = 512;

class CutPasteNetwork {
 public:
  /// ResNet-18 as torchvision begins it, the head as torch does.
  static CutPasteNetwork initial(int hidden_layers, std::uint64_t seed);
  /// Error(kBadInput) as TrainableNet::from_dict.
  static CutPasteNetwork from_dict(const TensorDict& tensors, int hidden_layers, const std::string& file);
  static std::int64_t bytes(int hidden_layers);
  /// torchvision's names behind "resnet18.", and "head.": float32.
  TensorDict to_dict() const;

  /// Normalised pictures [B, 3, H, W] -> layer4 [B, 512, h, w] float32.
  torch::Tensor maps(const torch::Tensor& pictures, bool training) const;
  /// [B, 512, h, w] -> their means [B, 512].
  static torch::Tensor vectors_of(const torch::Tensor& maps) { return maps.mean({2, 3}); }
  /// vectors [B, 512] -> logits [B, 3] float32.
  torch::Tensor logits(const torch::Tensor& vectors, bool training) const;

  std::vector<torch::Tensor> parameters() const;
  void require_gradients(bool on);
  void use_bfloat16(bool on);

 private:
  CutPasteNetwork(CutPasteHead head, TrainableNet resnet, TrainableNet head_net)
      : head_(std::move(head)), resnet_(std::move(resnet)), head_net_(std::move(head_net)) {}

  CutPasteHead head_;
  TrainableNet resnet_, head_net_;
};

}  // namespace glint
