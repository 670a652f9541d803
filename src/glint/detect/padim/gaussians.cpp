#include "glint/detect/padim/gaussians.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "glint/base/error.h"
#include "glint/detect/padim/triangle_kernels.h"

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

torch::Tensor GaussianSums::covariance(double regularisation, std::int64_t first, std::int64_t last) const {
  GLINT_CHECK(images_ >= 2);
  const torch::Tensor centre = mean().slice(0, first, last);
  torch::Tensor out = products_.slice(0, first, last) -
                      centre.unsqueeze(2) * (centre * static_cast<double>(images_)).unsqueeze(1);
  out.div_(static_cast<double>(images_ - 1));
  out.diagonal(0, 1, 2).add_(regularisation);
  return out;
}

PositionGaussians GaussianSums::finish(double regularisation, torch::ScalarType type) const {
  constexpr std::int64_t kTogether = 256;  // positions, so that work memory stays small beside the sums
  const std::int64_t positions = sum_.size(0), d = sum_.size(1);
  torch::Tensor triangles = torch::empty({positions, d * (d + 1) / 2}, type);
  for (std::int64_t first = 0; first < positions; first += kTogether) {
    const std::int64_t last = std::min(positions, first + kTogether);
    triangles.slice(0, first, last).copy_(packed_whitening(covariance(regularisation, first, last)));
  }
  return {mean().to(type), triangles};
}

namespace {

template <class T>
void all_distances(const torch::Tensor& features, const PositionGaussians& gaussians, torch::Tensor& out) {
  const std::int64_t images = features.size(0), positions = features.size(1), d = features.size(2),
                     each = gaussians.triangles.size(1);
  const T *x = features.data_ptr<T>(), *mean = gaussians.mean.data_ptr<T>(),
          *triangles = gaussians.triangles.data_ptr<T>();
  T* to = out.data_ptr<T>();
  // Positions outside: a triangle is read once for all images.
#pragma omp parallel
  {
    std::vector<T> difference(static_cast<std::size_t>(d));
#pragma omp for
    for (std::int64_t p = 0; p < positions; ++p) {
      for (std::int64_t i = 0; i < images; ++i) {
        const T* one = x + (i * positions + p) * d;
        for (std::int64_t j = 0; j < d; ++j)
          difference[static_cast<std::size_t>(j)] = one[j] - mean[p * d + j];
        to[i * positions + p] =
            std::sqrt(squared_triangle_product(triangles + p * each, difference.data(), d));
      }
    }
  }
}

}  // namespace

torch::Tensor mahalanobis(const torch::Tensor& features, const PositionGaussians& gaussians) {
  const torch::Tensor x = features.to(gaussians.mean.scalar_type()).contiguous();
  GLINT_CHECK(x.dim() == 3 && x.sizes().slice(1) == gaussians.mean.sizes() &&
              gaussians.triangles.size(1) == x.size(2) * (x.size(2) + 1) / 2 &&
              gaussians.mean.is_contiguous() && gaussians.triangles.is_contiguous());
  torch::Tensor out = torch::empty({x.size(0), x.size(1)}, x.options());
  if (x.scalar_type() == torch::kDouble) {
    all_distances<double>(x, gaussians, out);
  } else {
    all_distances<float>(x, gaussians, out);
  }
  return out;
}

torch::Tensor packed_whitening(const torch::Tensor& covariances) {
  const torch::Tensor factor = std::get<0>(at::linalg_cholesky_ex(covariances));
  const torch::Tensor identity = torch::eye(factor.size(1), factor.options()).expand_as(factor);
  return pack_triangles(at::linalg_solve_triangular(factor, identity, /*upper=*/false));
}

torch::Tensor pack_triangles(const torch::Tensor& matrices) {
  const std::int64_t d = matrices.size(1);
  const torch::Tensor at = at::tril_indices(d, d);
  return matrices.reshape({matrices.size(0), d * d}).index_select(1, at[0] * d + at[1]).contiguous();
}

}  // namespace glint
