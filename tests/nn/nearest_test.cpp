#include "glint/nn/nearest.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace glint {
namespace {

/// All distances in double, the k smallest.
torch::Tensor literal_distances(const torch::Tensor& queries, const torch::Tensor& rows, std::int64_t k) {
  const torch::Tensor q = queries.to(torch::kDouble), r = rows.to(torch::kDouble);
  std::vector<torch::Tensor> out;
  for (std::int64_t i = 0; i < q.size(0); ++i)
    out.push_back(std::get<0>((r - q[i]).norm(2, 1).topk(k, 0, /*largest=*/false)));
  return at::stack(out);
}

TEST(NearestRows, Float32IsExactOnRaggedShapes) {
  torch::manual_seed(5);
  for (const auto& [n, d, q, k] : {std::tuple(1, 3, 2, 1), std::tuple(33, 7, 5, 3),
                                   std::tuple(2049, 16, 1025, 1), std::tuple(5000, 40, 70, 9)}) {
    const torch::Tensor rows = torch::randn({n, d}) + 3, queries = torch::randn({q, d}) + 3;
    const NearestResult found = NearestRows(rows, Precision::kFloat32).search(queries, k);
    const torch::Tensor wanted = literal_distances(queries, rows, k);
    EXPECT_LT((found.distance.to(torch::kDouble) - wanted).abs().max().item<double>(), 1e-4);
    const torch::Tensor at_index =
        (rows.index_select(0, found.index.flatten()).reshape({q, k, d}) - queries.unsqueeze(1)).norm(2, 2);
    EXPECT_LT((at_index - found.distance).abs().max().item<double>(), 1e-5);
  }
}

TEST(NearestRows, Bfloat16MeasuresItsCandidatesAgain) {
  torch::manual_seed(6);
  const torch::Tensor rows = torch::rand({4000, 96}) + 5, queries = torch::rand({500, 96}) + 5;
  const torch::Tensor found = NearestRows(rows, Precision::kBFloat16).search(queries).distance.flatten();
  const torch::Tensor wanted = literal_distances(queries, rows, 1).flatten();
  const torch::Tensor excess = (found.to(torch::kDouble) - wanted) / wanted;
  EXPECT_GE(excess.min().item<double>(), -1e-6);
  // Uniform noise in 96 dimensions is the hardest case: all rows are nearly equally far.
  EXPECT_LT(excess.max().item<double>(), 0.01);
  EXPECT_GE((excess < 1e-6).to(torch::kDouble).mean().item<double>(), 0.9);
}

TEST(NearestRows, ARowOfTheBankFindsItself) {
  torch::manual_seed(7);
  const torch::Tensor rows = torch::randn({300, 20}) * 0.01 + 100;
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
    const NearestResult found = NearestRows(rows, precision).search(rows);
    EXPECT_EQ(found.distance.max().item<float>(), 0);
    EXPECT_TRUE(found.index.flatten().equal(torch::arange(300)));
  }
}

}  // namespace
}  // namespace glint
