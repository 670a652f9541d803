#include "glint/detect/ledoit_wolf.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"

namespace glint {

ShrunkCovariance ledoit_wolf(const torch::Tensor& samples) {
  GLINT_CHECK(samples.dim() == 3 && samples.size(1) >= 1);
  const auto n = static_cast<double>(samples.size(1)), d = static_cast<double>(samples.size(2));
  const torch::Tensor x = samples.to(torch::kDouble);
  ShrunkCovariance out;
  out.mean = x.mean(1);
  const torch::Tensor centred = x - out.mean.unsqueeze(1);
  const torch::Tensor s = at::bmm(centred.transpose(1, 2), centred) / n;
  const torch::Tensor trace = s.diagonal(0, 1, 2).sum(1), squares = s.square().sum({1, 2}), level = trace / d;
  // The mean square error of S, and the dispersion of its eigenvalues; both over d.
  const torch::Tensor fourth = centred.square().sum(2).square().sum(1) / n;
  const torch::Tensor dispersion = (squares - 2 * level * trace + d * level.square()) / d;
  const torch::Tensor error = at::minimum((fourth - squares) / (n * d), dispersion);
  out.shrinkage = at::where(error > 0, error / dispersion, at::zeros_like(error));
  const torch::Tensor share = out.shrinkage.unsqueeze(1).unsqueeze(2);
  out.covariance = (1 - share) * s;
  out.covariance.diagonal(0, 1, 2).add_((out.shrinkage * level).unsqueeze(1));
  return out;
}

}  // namespace glint
