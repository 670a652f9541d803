// CutPaste's network: a ResNet-18 trained from the start, whose mean of its last layer is the vector that
// judges, and the head that tells good pictures, cuts and scars apart while it trains.
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

inline constexpr int kCutPasteClasses = 3;  ///< good, cut, scar

/// Shape of the network: ResNet-18 up to one of its layers, the hidden layers of its head.
struct CutPasteShape {
  int layers = 4;  ///< published: all four
  int hidden_layers = 1;

  std::int64_t vector() const;  ///< numbers of a picture's vector: 512 with four layers
};

class CutPasteNetwork {
 public:
  /// ResNet-18 as torchvision begins it, the head as torch does.
  static CutPasteNetwork initial(const CutPasteShape& shape, std::uint64_t seed);
  /// Error(kBadInput) as TrainableNet::from_dict.
  static CutPasteNetwork from_dict(const TensorDict& tensors, const CutPasteShape& shape,
                                   const std::string& file);
  static std::int64_t bytes(const CutPasteShape& shape);
  /// torchvision's names behind "resnet18.", and "head.": float32.
  TensorDict to_dict() const;

  /// Normalised pictures [B, 3, H, W] -> the last layer's [B, vector, h, w] float32.
  torch::Tensor maps(const torch::Tensor& pictures, bool training) const;
  /// [B, vector, h, w] -> their means [B, vector].
  static torch::Tensor vectors_of(const torch::Tensor& maps) { return maps.mean({2, 3}); }
  /// vectors [B, vector] -> logits [B, 3] float32.
  torch::Tensor logits(const torch::Tensor& vectors, bool training) const;

  std::vector<torch::Tensor> parameters() const;
  void require_gradients(bool on);
  void use_bfloat16(bool on);

 private:
  CutPasteNetwork(const CutPasteShape& shape, TrainableNet resnet, TrainableNet head_net)
      : shape_(shape), resnet_(std::move(resnet)), head_net_(std::move(head_net)) {}

  CutPasteShape shape_;
  TrainableNet resnet_, head_net_;
};

}  // namespace glint
