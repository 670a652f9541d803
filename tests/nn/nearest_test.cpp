#include "glint/nn/nearest.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "glint/base/random.h"
#include "glint/nn/nearest_kernels.h"
#include "glint/nn/openmp_threads.h"
#include "glint/nn/row_leaves.h"

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

/// Rows as features are: a few strong directions, weak noise in all, away from zero.
torch::Tensor like_features(std::int64_t n, std::int64_t d, std::int64_t strong) {
  return at::mm(torch::randn({n, strong}), torch::randn({strong, d})) + 0.2 * torch::randn({n, d}) + 4;
}

TEST(NearestRows, ExactOnRaggedShapes) {
  torch::manual_seed(5);
  for (const auto& [n, d, q, k] : {std::tuple(1, 3, 2, 1), std::tuple(33, 7, 5, 3),
                                   std::tuple(2049, 16, 1025, 1), std::tuple(5000, 40, 70, 9)}) {
    const torch::Tensor rows = torch::randn({n, d}) + 3, queries = torch::randn({q, d}) + 3;
    const NearestResult found = NearestRows(rows).search(queries, k);
    const torch::Tensor wanted = literal_distances(queries, rows, k);
    EXPECT_LT((found.distance.to(torch::kDouble) - wanted).abs().max().item<double>(), 1e-4);
    const torch::Tensor at_index =
        (rows.index_select(0, found.index.flatten()).reshape({q, k, d}) - queries.unsqueeze(1)).norm(2, 2);
    EXPECT_LT((at_index - found.distance).abs().max().item<double>(), 1e-5);
  }
}

TEST(NearestRows, RuledOutRowsChangeNothing) {
  torch::manual_seed(6);
  for (const auto& [n, d, strong, k] : {std::tuple(4000, 96, 96, 1), std::tuple(4000, 200, 8, 1),
                                        std::tuple(3001, 300, 20, 5), std::tuple(700, 5, 5, 2)}) {
    torch::Tensor rows = like_features(n, d, strong);
    rows[n - 1] *= 100;                            // one far from all
    rows.slice(0, 20, 40) = rows.slice(0, 0, 20);  // twins: the lower row is the nearest
    const torch::Tensor queries = rows.slice(0, 0, 300) + 0.1 * torch::randn({300, d});
    queries.slice(0, 0, 50) = rows.slice(0, 0, 50);
    queries[60] *= 50;
    const NearestRows bank(rows);
    const NearestResult found = bank.search(queries, k), literal = bank.search_literal(queries, k);
    EXPECT_TRUE(found.index.equal(literal.index));
    EXPECT_TRUE(found.distance.equal(literal.distance));
  }
}

TEST(NearestRows, NeitherThreadsNorOtherQueriesMatter) {
  torch::manual_seed(8);
  const NearestRows bank(like_features(2000, 64, 10));
  const torch::Tensor queries = like_features(100, 64, 10);
  const NearestResult all = bank.search(queries, 3);
  const OpenMpThreads one(1);
  for (std::int64_t q = 0; q < 100; ++q) {
    const NearestResult alone = bank.search(queries.slice(0, q, q + 1), 3);
    ASSERT_TRUE(alone.index.equal(all.index.slice(0, q, q + 1)));
    ASSERT_TRUE(alone.distance.equal(all.distance.slice(0, q, q + 1)));
  }
}

TEST(NearestRows, ARowOfTheBankFindsItself) {
  torch::manual_seed(7);
  for (const int n : {300, 3000}) {
    const torch::Tensor rows = torch::randn({n, 20}) * 0.01 + 100;
    const NearestResult found = NearestRows(rows).search(rows);
    EXPECT_EQ(found.distance.max().item<float>(), 0);
    EXPECT_TRUE(found.index.flatten().equal(torch::arange(n)));
  }
}

TEST(NearestRows, EqualRowsAndQueriesThatAreNotNumbers) {
  const NearestRows bank(torch::ones({1000, 12}));
  torch::Tensor queries = torch::ones({40, 12});
  queries[1][3] = std::numeric_limits<float>::quiet_NaN();
  queries[2][0] = std::numeric_limits<float>::infinity();
  queries[3] = 3e38F;
  const NearestResult found = bank.search(queries, 2);
  for (std::int64_t q = 0; q < 40; ++q) {
    EXPECT_EQ(found.index[q][0].item<std::int64_t>(), 0);
    EXPECT_EQ(found.index[q][1].item<std::int64_t>(), 1);
    EXPECT_EQ(std::isfinite(found.distance[q][1].item<float>()), q < 1 || q > 3);
  }
}

TEST(RowLeaves, BoundsAreNeverTooLarge) {
  torch::manual_seed(9);
  const torch::Tensor rows = like_features(1500, 150, 12);
  const torch::Tensor points = rows.slice(0, 0, 40) + 0.1 * torch::randn({40, 150});
  const RowLeaves leaves(rows);
  std::vector<RowLeaves::Point> placed(40);
  leaves.place(points.data_ptr<float>(), 40, placed.data());
  std::int64_t kept = 0, seen = 0;
  for (std::int64_t p = 0; p < 40; ++p) {
    const torch::Tensor distance = (rows - points[p]).to(torch::kDouble).norm(2, 1);
    const auto reach = static_cast<float>(std::get<0>(distance.kthvalue(3)).item<double>() * 1.00001);
    std::vector<float> boxes;
    leaves.box_bounds(placed[p], reach * reach, boxes);
    for (std::int64_t leaf = 0; leaf < leaves.leaves(); ++leaf) {
      const std::uint64_t mask = leaves.near(placed[p], leaf, reach);
      const auto members = leaves.rows_of(leaf);
      for (std::size_t r = 0; r < members.size(); ++r) {
        const double own = distance[members[r]].item<double>();
        ++seen;
        EXPECT_LE(std::sqrt(boxes[leaf]), own * 1.0001);
        if (own <= reach) {
          EXPECT_TRUE(mask >> r & 1);
          ++kept;
        }
      }
      kept += std::popcount(mask);
    }
  }
  EXPECT_EQ(seen, 40 * 1500);
  EXPECT_LT(kept, 40 * 1500 / 4);  // and they rule out most rows
}

TEST(NearestKernels, AllInstructionSetsGiveTheSameNumbers) {
  Rng rng(3);
  std::array<std::uint8_t, 64> point;
  std::array<std::int8_t, 64 * 64> rows;
  std::array<std::int32_t, 64> offsets;
  for (auto& v : point) v = static_cast<std::uint8_t>(rng.below(256));
  for (auto& v : rows) v = static_cast<std::int8_t>(static_cast<int>(rng.below(255)) - 127);
  for (auto& v : offsets) v = static_cast<std::int32_t>(rng.below(100000)) - 50000;
  point[0] = point[1] = 255;
  rows[0] = rows[1] = -127;
  const auto kernels = product_kernels();
  std::array<std::int32_t, 64> wanted, out;
  std::array<float, kBoxDims> place;
  std::array<float, 3 * 2 * kBoxDims * kBoxGroup> boxes;
  for (float& v : place) v = static_cast<float>(rng.normal());
  for (float& v : boxes) v = static_cast<float>(rng.normal());
  std::array<float, 3 * kBoxGroup> box_wanted, box_out;
  kernels[0].boxes(place.data(), boxes.data(), 3, 1e9F, box_wanted.data());
  const std::uint64_t mask = kernels[0].head(point.data(), rows.data(), offsets.data(), wanted.data(), 1000);
  std::int32_t row = offsets[5];
  for (int i = 0; i < 64; ++i) row += point[i] * rows[(i / 4 * 64 + 5) * 4 + i % 4];
  EXPECT_EQ(wanted[5], row);
  EXPECT_EQ(mask >> 5 & 1, row >= 1000);
  for (const ProductKernels& one : kernels) {
    SCOPED_TRACE(one.instructions);
    EXPECT_EQ(one.head(point.data(), rows.data(), offsets.data(), out.data(), 1000), mask);
    EXPECT_EQ(out, wanted);
    one.boxes(place.data(), boxes.data(), 3, 1e9F, box_out.data());
    for (std::size_t i = 0; i < box_out.size(); ++i)
      EXPECT_NEAR(box_out[i], box_wanted[i], 1e-5 * box_wanted[i]);
    one.boxes(place.data(), boxes.data(), 3, 1, box_out.data());
    for (std::size_t i = 0; i < box_out.size(); ++i) EXPECT_EQ(box_out[i] <= 1, box_wanted[i] <= 1);
    EXPECT_EQ(one.tail(point.data(), rows.data() + 64), kernels[0].tail(point.data(), rows.data() + 64));
  }
}

}  // namespace
}  // namespace glint
