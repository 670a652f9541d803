// What EfficientAD trains by and judges by: the loss terms, the two maps, and their common scale.
#pragma once

#include <torch/types.h>

#include <array>
#include <string>

#include "glint/nn/tensor_dict.h"

namespace glint {

/// Quantile of all values with linear interpolation between neighbours (numpy's default). share in [0, 1];
/// not empty.
double linear_quantile(const torch::Tensor& values, double share);

/// Mean of the squared differences that are not below their `share` quantile; only these have a gradient.
torch::Tensor hard_feature_loss(const torch::Tensor& teacher, const torch::Tensor& student, double share);

/// The terms of one step, each a number.
struct EfficientAdLosses {
  torch::Tensor hard;                 ///< the student's first half follows the teacher
  torch::Tensor penalty;              ///< mean square of that half on a picture of another thing
  torch::Tensor autoencoder;          ///< the autoencoder follows the teacher
  torch::Tensor student_autoencoder;  ///< the student's second half follows the autoencoder
  torch::Tensor total() const { return hard + penalty + autoencoder + student_autoencoder; }
};

/// [B, C, h, w]: the normalised teacher of a picture and of its jittered form, the autoencoder of the
/// latter; [B, 2 C, h, w]: the student of the picture, of the jittered one, and of another thing (undefined =
/// no penalty). Published: the autoencoder too learns from the last term.
EfficientAdLosses efficientad_losses(const torch::Tensor& teacher, const torch::Tensor& teacher_jittered,
                                     const torch::Tensor& autoencoder, const torch::Tensor& student,
                                     const torch::Tensor& student_jittered,
                                     const torch::Tensor& student_other, double hard_share);

/// Mean over the channels of the squared difference: [B, C, h, w] twice -> [B, h, w].
torch::Tensor difference_map(const torch::Tensor& a, const torch::Tensor& b);

/// [B, h, w] each.
struct EfficientAdMaps {
  torch::Tensor teacher;      ///< of the student's first half from the teacher
  torch::Tensor autoencoder;  ///< of its second half from the autoencoder
};
/// teacher, autoencoder [B, C, h, w]; student [B, 2 C, h, w].
EfficientAdMaps efficientad_maps(const torch::Tensor& teacher, const torch::Tensor& autoencoder,
                                 const torch::Tensor& student);

/// Brings both maps to one scale: over good parts, 0 at the 0.9 quantile of all values of a map and 0.1 at
/// the 0.995 quantile.
struct MapScale {
  std::array<double, 2> teacher{}, autoencoder{};  ///< both quantiles

  /// Of maps of good parts, any shape.
  static MapScale of(const torch::Tensor& teacher_maps, const torch::Tensor& autoencoder_maps);
  /// [B, h, w] -> [B, h, w]: half the sum of the scaled maps.
  torch::Tensor combined(const EfficientAdMaps& maps) const;

  HostTensor to_host() const;  ///< [4], float64
  /// Error(kBadInput) names `file` and `name` where the numbers are no scale.
  static MapScale from_dict(const TensorDict& tensors, const std::string& name, const std::string& file);
};

/// Cells of zeros around a combined map [B, h, w] that bring it to a quarter of the input's side (published).
torch::Tensor with_border(const torch::Tensor& combined);

}  // namespace glint
