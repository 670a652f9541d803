// How far a vector lies from those of good parts: the Gaussian and the kernel density of CutPaste, both on
// vectors of length 1.
#pragma once

#include <torch/types.h>

#include <string>

#include "glint/detect/cutpaste/options.h"
#include "glint/nn/tensor_dict.h"

namespace glint {

/// Rows of length 1, in double: [n, d].
torch::Tensor unit_rows(const torch::Tensor& vectors);

class EmbeddingDensity {
 public:
  /// From vectors [n, d] of good parts, any floating type, any length but 0.
  static EmbeddingDensity fit(CutPasteDensity kind, double bandwidth, const torch::Tensor& vectors);
  /// As cutpaste.mean [d] and cutpaste.covariance [d, d], or cutpaste.vectors [n, d]: float32.
  TensorDict to_dict() const;
  /// Error(kBadInput) naming `file` when a tensor is missing, is not of d numbers, is not finite, or the
  /// covariance has no inverse.
  static EmbeddingDensity from_dict(CutPasteDensity kind, double bandwidth, std::int64_t d,
                                    const TensorDict& tensors, const std::string& file);

  /// Higher is worse, float64 [n] of vectors [n, d]: Mahalanobis distance, or -ln of the density.
  torch::Tensor scores(const torch::Tensor& vectors) const;
  /// Of the scores with respect to the vectors as given, float64 [n, d].
  torch::Tensor gradients(const torch::Tensor& vectors) const;

  const torch::Tensor& mean() const { return mean_; }
  const torch::Tensor& covariance() const { return covariance_; }

 private:
  void invert(const std::string& file);

  CutPasteDensity kind_ = CutPasteDensity::kGaussian;
  double bandwidth_ = 1;
  torch::Tensor mean_, covariance_, precision_;  ///< of the Gaussian
  torch::Tensor vectors_;                        ///< of the kernel density, length 1
};

}  // namespace glint
