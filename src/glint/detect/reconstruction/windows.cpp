#include "glint/detect/reconstruction/windows.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"
#include "glint/base/random.h"

namespace glint {

torch::Tensor random_windows(const torch::Tensor& pictures, int side,
                             const std::vector<std::uint64_t>& seeds) {
  const std::int64_t h = pictures.size(2), w = pictures.size(3);
  if (side == 0 || (h == side && w == side)) return pictures;
  GLINT_CHECK(h >= side && w >= side && static_cast<std::int64_t>(seeds.size()) == pictures.size(0));
  std::vector<torch::Tensor> windows;
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    Rng rng(seeds[i]);
    const auto y = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(h - side + 1)));
    const auto x = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(w - side + 1)));
    windows.push_back(pictures[static_cast<std::int64_t>(i)].slice(1, y, y + side).slice(2, x, x + side));
  }
  return at::stack(windows);
}

std::vector<std::int64_t> window_starts(std::int64_t length, std::int64_t side, std::int64_t stride) {
  GLINT_CHECK(length >= side && stride > 0);
  std::vector<std::int64_t> starts;
  for (std::int64_t at = 0; at < length - side; at += stride) starts.push_back(at);
  starts.push_back(length - side);
  return starts;
}

Reconstruction reconstruct_by_windows(
    const torch::Tensor& pictures, int side, int stride,
    const std::function<Reconstruction(const torch::Tensor&)>& reconstruct) {
  const std::int64_t h = pictures.size(2), w = pictures.size(3);
  if (side == 0 || (h == side && w == side)) return reconstruct(pictures);
  Reconstruction all;
  all.image = torch::zeros_like(pictures);
  torch::Tensor count = torch::zeros({1, 1, h, w});
  for (const std::int64_t y : window_starts(h, side, stride)) {
    for (const std::int64_t x : window_starts(w, side, stride)) {
      const auto at_window = [&](const torch::Tensor& t) {
        return t.slice(2, y, y + side).slice(3, x, x + side);
      };
      const Reconstruction one = reconstruct(at_window(pictures).contiguous());
      at_window(all.image).add_(one.image);
      at_window(count).add_(1);
      if (one.score.defined())
        all.score = all.score.defined() ? at::maximum(all.score, one.score) : one.score;
    }
  }
  all.image.div_(count);
  return all;
}

}  // namespace glint
