#include "glint/detect/dfm/subspace.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"

namespace glint {

Subspace fit_subspace(const torch::Tensor& vectors, double share) {
  GLINT_CHECK(vectors.dim() == 2 && vectors.size(0) >= 2);
  const torch::Tensor x = vectors.to(torch::kDouble);
  const torch::Tensor mean = x.mean(0), centred = x - mean;
  // Eigenvectors u of the Gram matrix give components centred^T u / s; ascending order turned round.
  const auto [values, vectors_u] = at::linalg_eigh(at::mm(centred, centred.t()));
  const torch::Tensor squares = values.flip(0).clamp_min(0), u = vectors_u.flip(1);
  const torch::Tensor ratio = squares.cumsum(0) / squares.sum().clamp_min(1e-300);
  // The last direction of centred vectors has no variance; its eigenvalue is rounding.
  const std::int64_t most = std::max<std::int64_t>(1, x.size(0) - 1);
  const std::int64_t k = std::min(most, (ratio < share).sum().item<std::int64_t>() + 1);
  const torch::Tensor s = squares.slice(0, 0, k).sqrt().clamp_min(1e-150);
  return {mean, at::mm(u.slice(1, 0, k).t(), centred) / s.unsqueeze(1),
          squares.slice(0, 0, k) / static_cast<double>(x.size(0))};
}

torch::Tensor unexplained(const torch::Tensor& vectors, const Subspace& subspace) {
  const torch::Tensor centred = vectors.to(subspace.mean.scalar_type()) - subspace.mean;
  return centred - at::mm(at::mm(centred, subspace.components.t()), subspace.components);
}

torch::Tensor subspace_surprise(const torch::Tensor& vectors, const Subspace& subspace) {
  const torch::Tensor z =
      at::mm(vectors.to(subspace.mean.scalar_type()) - subspace.mean, subspace.components.t());
  const torch::Tensor variances = subspace.variances.clamp_min(1e-12);
  return (z.square() / variances + variances.log()).sum(1);
}

}  // namespace glint
