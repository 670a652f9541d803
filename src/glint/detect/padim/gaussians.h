// One Gaussian per position of an aligned feature grid (PaDiM, Defard et al., 2021): mean and covariance from
// one pass over the training features, Mahalanobis distances of new ones.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace glint {

struct PositionGaussians {
  torch::Tensor mean;  ///< [positions, d]
  /// [positions, d (d + 1) / 2]: the inverse of the covariance's lower Cholesky factor as pack_triangles has
  /// it
  torch::Tensor triangles;
};

/// Sums in double, so that the order of the images hardly matters: (d + d^2) * 8 bytes per position.
class GaussianSums {
 public:
  GaussianSums(std::int64_t positions, std::int64_t d);

  /// features [images, positions, d].
  void add(const torch::Tensor& features);

  /// Unbiased covariance (n - 1) plus `regularisation` on the diagonal; double [positions, d, d]. At least
  /// two images.
  torch::Tensor covariance(double regularisation) const {
    return covariance(regularisation, 0, sum_.size(0));
  }
  torch::Tensor mean() const;
  /// In the type `type`.
  PositionGaussians finish(double regularisation, torch::ScalarType type) const;

 private:
  torch::Tensor covariance(double regularisation, std::int64_t first, std::int64_t last) const;

  std::int64_t images_ = 0;
  torch::Tensor sum_, products_;
};

/// Square root of (f - mean)^T covariance^-1 (f - mean): features [images, positions, d] -> [images,
/// positions], in the Gaussians' type (float32 or float64). A value does not depend on the others.
torch::Tensor mahalanobis(const torch::Tensor& features, const PositionGaussians& gaussians);

/// The lower triangles of matrices [positions, d, d] row by row, [positions, d (d + 1) / 2].
torch::Tensor pack_triangles(const torch::Tensor& matrices);
/// The inverse of a covariance's lower Cholesky factor, of each in [positions, d, d], packed.
torch::Tensor packed_whitening(const torch::Tensor& covariances);

}  // namespace glint
