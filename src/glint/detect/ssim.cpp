#include "glint/detect/ssim.h"

#include <ATen/ATen.h>

#include <cmath>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr double kSsimK1 = 0.01, kSsimK2 = 0.03;  // the paper's

/// The edge pixel repeated, along dimension `d`.
torch::Tensor mirrored(const torch::Tensor& x, std::int64_t d, std::int64_t radius) {
  const std::int64_t n = x.size(d);
  return at::cat({x.slice(d, 0, radius).flip(d), x, x.slice(d, n - radius, n).flip(d)}, d);
}

torch::Tensor bordered(const torch::Tensor& x, SsimBorder border, std::int64_t radius) {
  switch (border) {
    case SsimBorder::kMirrored:
      return mirrored(mirrored(x, 2, radius), 3, radius);
    case SsimBorder::kZeros:
      return at::constant_pad_nd(x, {radius, radius, radius, radius}, 0);
    case SsimBorder::kValid:
      break;
  }
  return x;
}

}  // namespace

torch::Tensor ssim_map(const torch::Tensor& x, const torch::Tensor& y, const SsimOptions& options) {
  GLINT_CHECK(x.sizes() == y.sizes() && x.dim() == 4 && options.window % 2 == 1);
  GLINT_CHECK(x.size(2) >= options.window && x.size(3) >= options.window);
  const std::int64_t radius = options.window / 2, n = x.size(0) * x.size(1);
  const torch::Tensor offsets = at::arange(-radius, radius + 1, torch::kDouble) / options.sigma;
  torch::Tensor taps = (offsets.square() / -2).exp();
  taps = (taps / taps.sum()).to(x.scalar_type());

  const auto planes = [&](const torch::Tensor& t) {
    return bordered(t, options.border, radius)
        .reshape({n, 1, -1, t.size(3) + (options.border == SsimBorder::kValid ? 0 : 2 * radius)});
  };
  const torch::Tensor a = planes(x), b = planes(y);
  // All five moments in one go.
  const torch::Tensor blurred =
      at::conv2d(at::conv2d(at::cat({a, b, a * a, b * b, a * b}), taps.reshape({1, 1, -1, 1})),
                 taps.reshape({1, 1, 1, -1}));
  const std::vector<torch::Tensor> moments = blurred.split(n);
  const torch::Tensor &mean_a = moments[0], &mean_b = moments[1];
  const torch::Tensor product = mean_a * mean_b, squares = mean_a.square() + mean_b.square();
  const double c1 = std::pow(kSsimK1 * options.range, 2), c2 = std::pow(kSsimK2 * options.range, 2);
  const torch::Tensor map = (2 * product + c1) * (2 * (moments[4] - product) + c2) /
                            ((squares + c1) * (moments[2] + moments[3] - squares + c2));
  return map.reshape({x.size(0), x.size(1), map.size(2), map.size(3)});
}

torch::Tensor ssim_loss(const torch::Tensor& x, const torch::Tensor& y, const SsimOptions& options) {
  return 1 - ssim_map(x, y, options).flatten(1).mean(1);
}

}  // namespace glint
