#include "glint/detect/cutpaste/patches.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr std::int64_t kPatchesAtOnce = 64;

/// [cells, patches]: the share of each patch in each cell's value, along one length.
torch::Tensor cells_from_patches(std::int64_t length, std::int64_t side, std::int64_t stride) {
  const std::vector<std::int64_t> starts = patch_starts(length, side, stride);
  const std::int64_t cells = (length + stride - 1) / stride;
  torch::Tensor out = torch::zeros({cells, std::ssize(starts)}, torch::kDouble);
  auto shares = out.accessor<double, 2>();
  for (std::int64_t cell = 0; cell < cells; ++cell) {
    const double centre =
        (static_cast<double>(cell) + 0.5) * static_cast<double>(length) / static_cast<double>(cells);
    const auto centre_of = [&](std::int64_t i) {
      return static_cast<double>(starts[static_cast<std::size_t>(i)]) + static_cast<double>(side) / 2;
    };
    std::int64_t next = 0;
    while (next < std::ssize(starts) && centre_of(next) < centre) ++next;
    if (next == 0 || next == std::ssize(starts)) {
      shares[cell][std::max<std::int64_t>(0, next - 1)] = 1;
      continue;
    }
    const double before = centre_of(next - 1), share = (centre - before) / (centre_of(next) - before);
    shares[cell][next - 1] = 1 - share;
    shares[cell][next] = share;
  }
  return out;
}

}  // namespace

std::vector<std::int64_t> patch_starts(std::int64_t length, std::int64_t side, std::int64_t stride) {
  GLINT_CHECK(length >= side && side > 0 && stride > 0);
  std::vector<std::int64_t> out;
  for (std::int64_t at = 0; at < length - side; at += stride) out.push_back(at);
  out.push_back(length - side);
  return out;
}

torch::Tensor for_patches(const torch::Tensor& picture, std::int64_t side, std::int64_t stride,
                          const std::function<torch::Tensor(const torch::Tensor&)>& judge) {
  const std::vector<std::int64_t> rows = patch_starts(picture.size(1), side, stride),
                                  columns = patch_starts(picture.size(2), side, stride);
  std::vector<torch::Tensor> patches, results;
  const auto flush = [&] {
    if (!patches.empty()) results.push_back(judge(at::stack(patches)));
    patches.clear();
  };
  for (const std::int64_t y : rows) {
    for (const std::int64_t x : columns) {
      patches.push_back(picture.slice(1, y, y + side).slice(2, x, x + side));
      if (std::ssize(patches) == kPatchesAtOnce) flush();
    }
  }
  flush();
  return at::cat(results).reshape({std::ssize(rows), std::ssize(columns)});
}

ScoreMap map_of_patches(const torch::Tensor& scores, std::int64_t height, std::int64_t width,
                        std::int64_t side, std::int64_t stride) {
  const torch::Tensor cells =
      at::matmul(at::matmul(cells_from_patches(height, side, stride), scores.to(torch::kDouble)),
                 cells_from_patches(width, side, stride).t())
          .to(torch::kFloat)
          .contiguous();
  ScoreMap out(static_cast<int>(cells.size(1)), static_cast<int>(cells.size(0)));
  std::copy_n(cells.data_ptr<float>(), cells.numel(), out.values.begin());
  return out;
}

}  // namespace glint
