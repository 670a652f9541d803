// EfficientAD's networks: the patch description network (teacher and student) and the autoencoder. Losses and
// maps: losses.h; the teacher's training: teacher.h.
#pragma once

#include <torch/types.h>

#include <optional>
#include <string>
#include <vector>

#include "glint/base/random.h"
#include "glint/detect/efficientad/options.h"
#include "glint/detect/trainable_net.h"
#include "glint/image/image.h"

namespace glint {

/// Smallest side of an input: the autoencoder's last convolution spans eight cells of 32 pixels.
inline constexpr int kLeastEfficientAdSide = 256;

/// What of a description network gives its shape.
struct DescriptionShape {
  DescriptionSize size = DescriptionSize::kSmall;
  int outputs = 384;
  double width = 1;  ///< of the published hidden channels
};

/// Describes each patch of 33 x 33 pixels by its outputs, on a grid of four pixels. Names of the tensors as
/// published ("0.weight", ...).
class DescriptionNetwork {
 public:
  /// torch's default initialisation, seeded; a tensor's values depend on seed and `stream`.
  static DescriptionNetwork initial(const DescriptionShape& shape, std::uint64_t seed,
                                    std::string_view stream);
  /// From <prefix><name>. Error(kBadInput) names `file` and the tensor.
  static DescriptionNetwork from_dict(const DescriptionShape& shape, const TensorDict& tensors,
                                      const std::string& file, const std::string& prefix = "");
  static std::int64_t bytes(const DescriptionShape& shape);
  TensorDict to_dict(const std::string& prefix = "") const { return net_.to_dict(prefix); }

  /// Normalised pictures [B, 3, H, W] -> [B, outputs, h, w], float32. Without padding 256 pixels give 56
  /// cells; `padded` gives 64, a quarter of the picture's side: only for the training of a teacher.
  torch::Tensor describe(const torch::Tensor& pictures, bool padded = false) const;

  std::vector<torch::Tensor> parameters() const { return net_.parameters(); }
  const torch::Tensor& at(const std::string& name) const { return net_.at(name); }
  void require_gradients(bool on) { net_.require_gradients(on); }
  /// Convolutions in bfloat16 with float32 sums.
  void use_bfloat16(bool on) { net_.use_bfloat16(on); }

 private:
  DescriptionNetwork(DescriptionShape shape, TrainableNet net) : shape_(shape), net_(std::move(net)) {}

  DescriptionShape shape_;
  TrainableNet net_;
};

/// From the whole picture through 64 numbers to what the teacher says of it. Names as published.
class PatchAutoencoder {
 public:
  static PatchAutoencoder initial(int outputs, std::uint64_t seed, std::string_view stream);
  static PatchAutoencoder from_dict(int outputs, const TensorDict& tensors, const std::string& file,
                                    const std::string& prefix = "");
  static std::int64_t bytes(int outputs);
  TensorDict to_dict(const std::string& prefix = "") const { return net_.to_dict(prefix); }

  /// Normalised pictures [B, 3, H, W], sides of at least kLeastEfficientAdSide -> [B, outputs, h, w] of
  /// `grid`, the teacher's, float32. `dropout`: draws what is dropped (0.2) in training; nullptr when
  /// judging.
  torch::Tensor reconstruct(const torch::Tensor& pictures, ImageSize grid, Rng* dropout = nullptr) const;

  std::vector<torch::Tensor> parameters() const { return net_.parameters(); }
  const torch::Tensor& at(const std::string& name) const { return net_.at(name); }
  void require_gradients(bool on) { net_.require_gradients(on); }
  void use_bfloat16(bool on) { net_.use_bfloat16(on); }

 private:
  explicit PatchAutoencoder(TrainableNet net) : net_(std::move(net)) {}

  TrainableNet net_;
};

}  // namespace glint
