#include "glint/detect/patchcore/density.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace glint {

torch::Tensor density_units(const NearestRows& bank, std::int64_t neighbours) {
  // A block of queries bounds the memory of the search; a row's nearest row is the row itself.
  constexpr std::int64_t kBlock = 2048;
  const std::int64_t rows = bank.size(), k = std::min(neighbours, rows - 1);
  const torch::Tensor reach = torch::empty({rows});
  for (std::int64_t at = 0; at < rows; at += kBlock) {
    const std::int64_t end = std::min(rows, at + kBlock);
    reach.slice(0, at, end).copy_(bank.search(bank.rows().slice(0, at, end), k + 1).distance.select(1, k));
  }
  const float median = reach.median().item<float>();
  if (!(median > 0)) return torch::ones({rows});
  return (reach + median / 2) * (2.0 / 3);
}

}  // namespace glint
