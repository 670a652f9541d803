// One Gaussian per position of an aligned feature grid (PaDiM, Defard et al., 2021): mean and covariance from
// one pass over the training features, Mahalanobis distances of new ones.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace glint {

struct PositionGaussians {
  torch::Tensor mean;  ///< [positions, d]
  torch::Tensor
      whitening;  ///< [positions, d, d]: inverse of the covariance's lower Cholesky factor, lower triangular
};

/// Sums in double, so that the order of the images hardly matters: (d + d^2) * 8 bytes per position.
class GaussianSums {
 public:
  GaussianSums(std::int64_t positions, std::int64_t d);

  /// features [images, positions, d].
  void add(const torch::Tensor& features);

  /// Unbiased covariance (n - 1) plus `regularisation` on the diagonal; double [positions, d, d]. At least
  /// two images.
  torch::Tensor covariance(double regularisation) const;
  torch::Tensor mean() const;
  /// In the type `type`.
  PositionGaussians finish(double regularisation, torch::ScalarType type) const;

 private:
  std::int64_t images_ = 0;
  torch::Tensor sum_, products_;
};

/// Square root of (f - mean)^T covariance^-1 (f - mean): features [images, positions, d] -> [images,
/// positions].
torch::Tensor mahalanobis(const torch::Tensor& features, const PositionGaussians& gaussians);

/// The lower triangle of whitening [positions, d, d] row by row, [positions, d (d + 1) / 2], and back.
torch::Tensor pack_triangles(const torch::Tensor& whitening);
torch::Tensor unpack_triangles(const torch::Tensor& packed, std::int64_t d);

}  // namespace glint
