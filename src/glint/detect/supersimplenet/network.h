// SuperSimpleNet's network behind the frozen backbone: features on a fine grid, adapter, the head that gives
// the map and the head that gives the score. Losses and training: losses.h, supersimplenet.cpp.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "glint/detect/supersimplenet/options.h"
#include "glint/detect/trainable_net.h"
#include "glint/nn/tensor_dict.h"

namespace glint {

/// layer2 [B, C2, h, w] and layer3 [B, C3, h', w'] -> [B, C2 + C3, 2h, 2w]: both bilinear to twice layer2's
/// grid, joined, averaged over 3x3 with the zeros beyond the border counted.
torch::Tensor fine_features(const torch::Tensor& layer2, const torch::Tensor& layer3,
                            LayerAlignment alignment);

class SuperSimpleNetwork {
 public:
  /// The published initialisation, seeded: Xavier-normal weights, uniform biases.
  static SuperSimpleNetwork initial(int channels, int hidden, std::uint64_t seed);
  /// Error(kBadInput) naming `file` and the tensor that is missing, has the wrong shape, is not finite, or is
  /// a negative variance.
  static SuperSimpleNetwork from_dict(const TensorDict& tensors, int channels, const std::string& file);
  static std::int64_t bytes(int channels, int hidden);
  /// Published names, float32.
  TensorDict to_dict() const;

  /// [B, C, h, w] -> the same shape.
  torch::Tensor adapt(const torch::Tensor& features) const;
  struct Output {
    torch::Tensor map;    ///< [B, 1, h, w] logits, float32; high = anomalous
    torch::Tensor score;  ///< [B] logits, float32
  };
  /// Of adapted features. In training the batch's statistics normalise and the running ones are updated. The
  /// score's gradient does not reach the map's head (unsupervised mode).
  Output heads(const torch::Tensor& adapted, bool training);
  /// The same with the running statistics.
  Output heads(const torch::Tensor& adapted) const;

  std::vector<torch::Tensor> adapter_parameters() const;
  std::vector<torch::Tensor> head_parameters() const;
  void require_gradients(bool on) { net_.require_gradients(on); }
  /// Convolutions in bfloat16 with float32 sums.
  void use_bfloat16(bool on) { net_.use_bfloat16(on); }

 private:
  explicit SuperSimpleNetwork(TrainableNet net) : net_(std::move(net)) {}
  Output run(const torch::Tensor& adapted, bool training) const;

  TrainableNet net_;
};

}  // namespace glint
