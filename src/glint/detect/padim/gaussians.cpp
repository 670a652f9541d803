#include "glint/detect/padim/gaussians.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"

namespace glint {

GaussianSums::GaussianSums(std::int64_t positions, std::int64_t d)
    : sum_(torch::zeros({positions, d}, torch::kDouble)),
      products_(torch::zeros({positions, d, d}, torch::kDouble)) {}

void GaussianSums::add(const torch::Tensor& features) {
  GLINT_CHECK(features.dim() == 3 && features.size(1) == sum_.size(0) && features.size(2) == sum_.size(1));
  const torch::Tensor by_position = features.to(torch::kDouble).transpose(0, 1);  // [positions, images, d]
  sum_.add_(by_position.sum(1));
  products_.baddbmm_(by_position.transpose(1, 2), by_position);
  images_ += features.size(0);
}

torch::Tensor GaussianSums::mean() const {
  return sum_ / static_cast<double>(images_);
}

torch::Tensor GaussianSums::covariance(double regularisation) const {
  GLINT_CHECK(images_ >= 2);
  const torch::Tensor centre = mean();
  torch::Tensor out = products_ - centre.unsqueeze(2) * (centre * static_cast<double>(images_)).unsqueeze(1);
  out.div_(static_cast<double>(images_ - 1));
  out.diagonal(0, 1, 2).add_(regularisation);
  return out;
}

PositionGaussians GaussianSums::finish(double regularisation, torch::ScalarType type) const {
  const torch::Tensor factor = std::get<0>(at::linalg_cholesky_ex(covariance(regularisation)));
  const torch::Tensor identity = torch::eye(factor.size(1), torch::kDouble).expand_as(factor);
  const torch::Tensor whitening = at::linalg_solve_triangular(factor, identity, /*upper=*/false);
  return {mean().to(type), whitening.tril().to(type)};
}

torch::Tensor mahalanobis(const torch::Tensor& features, const PositionGaussians& gaussians) {
  // [positions, d, d] x [positions, d, images]
  const torch::Tensor difference = (features - gaussians.mean).permute({1, 2, 0}).contiguous();
  return at::bmm(gaussians.whitening, difference).square_().sum(1).sqrt_().transpose(0, 1).contiguous();
}

torch::Tensor pack_triangles(const torch::Tensor& whitening) {
  const std::int64_t d = whitening.size(1);
  const torch::Tensor at = at::tril_indices(d, d);
  return whitening.reshape({whitening.size(0), d * d}).index_select(1, at[0] * d + at[1]).contiguous();
}

torch::Tensor unpack_triangles(const torch::Tensor& packed, std::int64_t d) {
  const torch::Tensor at = at::tril_indices(d, d);
  torch::Tensor out = torch::zeros({packed.size(0), d * d}, packed.options());
  out.index_copy_(1, at[0] * d + at[1], packed);
  return out.reshape({packed.size(0), d, d});
}

}  // namespace glint
