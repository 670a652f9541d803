// DRAEM's two networks: one gives a picture back without its defect, the other compares both and says which
// pixels differ in a way that matters. Losses and training: losses.h, draem.cpp.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "glint/detect/trainable_net.h"

namespace glint {

/// Channels of the first block of each; deeper ones have two, four and eight times as many.
struct DraemWidths {
  std::int64_t reconstructive = 128, discriminative = 64;
};

class DraemNetworks {
 public:
  /// The published initialisation, seeded: normal weights of deviation 0.02.
  static DraemNetworks initial(DraemWidths widths, std::uint64_t seed);
  /// Error(kBadInput) as TrainableNet::from_dict.
  static DraemNetworks from_dict(const TensorDict& tensors, DraemWidths widths, const std::string& file);
  static std::int64_t bytes(DraemWidths widths);
  /// Published names behind "reconstructive." and "discriminative.", float32.
  TensorDict to_dict() const;

  struct Output {
    torch::Tensor reconstruction;  ///< [B, 3, H, W]
    torch::Tensor logits;          ///< [B, 2, H, W]: good, defect
    torch::Tensor probability;     ///< [B, 2, H, W]: their softmax
  };
  /// Pictures [B, 3, H, W] in [0, 1] of any size: sides that 32 does not divide are continued by their edge
  /// pixels, and the results cut to size. In training the batch's statistics normalise and the running ones
  /// are updated. Results are float32, or of the type that to_double() set.
  Output run(const torch::Tensor& pictures, bool training) const;

  /// By its name in to_dict().
  const torch::Tensor& at(const std::string& name) const;
  /// Of both networks, the reconstructive one's first.
  std::vector<torch::Tensor> parameters() const;
  void require_gradients(bool on);
  void use_bfloat16(bool on);
  void to_double();

 private:
  DraemNetworks(TrainableNet reconstructive, TrainableNet discriminative)
      : reconstructive_(std::move(reconstructive)), discriminative_(std::move(discriminative)) {}

  TrainableNet reconstructive_, discriminative_;
};

/// Image scores [B] of the defects' probability [B, H, W]: the largest 21 x 21 average, zeros beyond the
/// border counted.
torch::Tensor draem_image_scores(const torch::Tensor& probability);
/// The averages themselves, [B, H, W].
torch::Tensor draem_averages(const torch::Tensor& probability);

}  // namespace glint
