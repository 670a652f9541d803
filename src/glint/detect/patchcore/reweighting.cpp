#include "glint/detect/patchcore/reweighting.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace glint {

double reweighted_score(const torch::Tensor& patch, std::int64_t row, const NearestRows& bank,
                        std::int64_t neighbours) {
  const torch::Tensor centre = bank.rows().slice(0, row, row + 1);
  const torch::Tensor index =
      bank.search(centre, std::min(std::max<std::int64_t>(1, neighbours), bank.size())).index[0];
  const torch::Tensor rows = bank.rows().index_select(0, index).to(torch::kDouble);
  const torch::Tensor distances = (rows - patch.to(torch::kDouble)).norm(2, 1);
  const double own = (centre[0].to(torch::kDouble) - patch.to(torch::kDouble)).norm().item<double>();
  if (distances.size(0) == 1) return own;
  return (1 - at::softmax(distances, 0)[0].item<double>()) * own;
}

}  // namespace glint
