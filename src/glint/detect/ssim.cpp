#include "glint/detect/ssim.h"

#include <ATen/ATen.h>

#include <cmath>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr double kSsimK1 = 0.01, kSsimK2 = 0.03;  // the paper's

/// [places, length]: the window's taps around each place along one side, what lies beyond the border folded
/// in. A product with it is the blur; libtorch's convolutions of single channels are several times slower.
torch::Tensor window_matrix(std::int64_t length, const SsimOptions& options) {
  const std::int64_t radius = options.window / 2;
  const torch::Tensor offsets = at::arange(-radius, radius + 1, torch::kDouble) / options.sigma;
  torch::Tensor taps = (offsets.square() / -2).exp();
  taps = taps / taps.sum();
  const bool valid = options.border == SsimBorder::kValid;
  const std::int64_t places = valid ? length - 2 * radius : length;
  torch::Tensor out = torch::zeros({places, length}, torch::kDouble);
  auto cells = out.accessor<double, 2>();
  for (std::int64_t i = 0; i < places; ++i) {
    for (std::int64_t k = 0; k < options.window; ++k) {
      std::int64_t j = i + k - (valid ? 0 : radius);
      if (options.border == SsimBorder::kZeros && (j < 0 || j >= length)) continue;
      if (j < 0) j = -1 - j;
      if (j >= length) j = 2 * length - 1 - j;
      cells[i][j] += taps[k].item<double>();
    }
  }
  return out;
}

}  // namespace

torch::Tensor ssim_map(const torch::Tensor& x, const torch::Tensor& y, const SsimOptions& options) {
  GLINT_CHECK(x.sizes() == y.sizes() && x.dim() == 4 && options.window % 2 == 1);
  GLINT_CHECK(x.size(2) >= options.window && x.size(3) >= options.window);
  const std::int64_t n = x.size(0) * x.size(1), h = x.size(2), w = x.size(3);
  const torch::Tensor down = window_matrix(h, options).to(x.scalar_type()),
                      across = window_matrix(w, options).to(x.scalar_type());
  const torch::Tensor a = x.reshape({n, h, w}), b = y.reshape({n, h, w});
  // All five moments in one go.
  const torch::Tensor blurred =
      at::matmul(down, at::matmul(at::cat({a, b, a * a, b * b, a * b}), across.t()));
  const std::vector<torch::Tensor> moments = blurred.split(n);
  const torch::Tensor &mean_a = moments[0], &mean_b = moments[1];
  const torch::Tensor product = mean_a * mean_b, squares = mean_a.square() + mean_b.square();
  const double c1 = std::pow(kSsimK1 * options.range, 2), c2 = std::pow(kSsimK2 * options.range, 2);
  const torch::Tensor map = (2 * product + c1) * (2 * (moments[4] - product) + c2) /
                            ((squares + c1) * (moments[2] + moments[3] - squares + c2));
  return map.reshape({x.size(0), x.size(1), map.size(1), map.size(2)});
}

torch::Tensor ssim_loss(const torch::Tensor& x, const torch::Tensor& y, const SsimOptions& options) {
  return 1 - ssim_map(x, y, options).flatten(1).mean(1);
}

}  // namespace glint
