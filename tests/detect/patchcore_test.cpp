#include "glint/detect/patchcore/patchcore.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "glint/detect/patch_features.h"
#include "glint/detect/patchcore/coreset.h"
#include "glint/detect/patchcore/density.h"
#include "glint/detect/patchcore/reweighting.h"
#include "glint/detect/simplenet/embedding.h"
#include "glint/image/resample.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "tensor_compare.h"

namespace glint {
namespace {

std::vector<std::int64_t> list_of(const torch::Tensor& t) {
  const auto* p = t.data_ptr<std::int64_t>();
  return {p, p + t.numel()};
}

class PatchcoreGolden : public ::testing::Test {
 protected:
  torch::Tensor at(const std::string& name) const { return to_tensor(file_.tensors.at(name)); }
  SafetensorsFile file_ = golden("patchcore");
};

TEST_F(PatchcoreGolden, Embeddings) {
  for (const std::string grid : {"embed.even.", "embed.odd."}) {
    const torch::Tensor two = at(grid + "layer2"), three = at(grid + "layer3");
    const torch::Tensor average = positions_of(
        join_maps({average_neighbourhoods(two), average_neighbourhoods(three)}, Alignment::kBilinear));
    expect_close(average.flatten(0, 1), at(grid + "average"), 1e-4);
    expect_close(mean_patches(two, three).flatten(0, 1), at(grid + "average"), 1e-4);
    const PatchEmbedding published(static_cast<int>(two.size(1)), static_cast<int>(three.size(1)), 40, 40);
    expect_close(published.embed(two, three), at(grid + "official"), 1e-4);
  }
}

TEST_F(PatchcoreGolden, CoresetPicks) {
  const torch::Tensor rows = at("coreset.projected");
  const std::vector<std::int64_t> starts = list_of(at("coreset.start_points"));
  const struct {
    CoresetStart start;
    const char *index, *radius;
  } kCases[] = {{CoresetStart::kApproximate, "coreset.approximate_index", "coreset.approximate_radius"},
                {CoresetStart::kKCenter, "coreset.kcenter_index", "coreset.kcenter_radius"}};
  for (const auto& one : kCases) {
    const torch::Tensor index = at(one.index), radius = at(one.radius);
    const Coreset fast = greedy_coreset(rows, index.numel(), one.start, starts);
    EXPECT_EQ(fast.index, list_of(index));
    EXPECT_EQ(greedy_coreset_literal(rows, index.numel(), one.start, starts).index, list_of(index));
    for (std::int64_t i = 0; i < radius.numel(); ++i)
      EXPECT_NEAR(fast.radius[i], radius[i].item<double>(), 1e-4 * radius[0].item<double>());
  }
}

TEST_F(PatchcoreGolden, NearestAndImageScores) {
  const NearestRows bank(at("score.bank"));
  const torch::Tensor query = at("score.query");
  const NearestResult found = bank.search(query, 3);
  EXPECT_EQ(list_of(found.index.select(1, 0).contiguous()), list_of(at("score.nearest_index")));
  expect_close(found.distance.select(1, 0).to(torch::kDouble), at("score.distance"), 1e-4);
  expect_close(found.distance.select(1, 0).square().to(torch::kDouble), at("score.squared_distance"), 1e-4);
  expect_close(found.distance.square().mean(1).to(torch::kDouble), at("score.squared_distance_mean3"), 1e-4);
  const NearestRows five(at("score.bank").slice(0, 0, 5));
  for (std::int64_t image = 0; image < 2; ++image) {
    const auto score = [&](const NearestRows& rows, std::int64_t neighbours) {
      const NearestResult nearest = rows.search(query.slice(0, 64 * image, 64 * image + 64));
      const auto patch = nearest.distance.flatten().argmax().item<std::int64_t>();
      return reweighted_score(query[64 * image + patch], nearest.index[patch][0].item<std::int64_t>(), rows,
                              neighbours);
    };
    EXPECT_NEAR(score(bank, 9), at("score.image_reweighted9")[image].item<double>(), 1e-5);
    EXPECT_NEAR(score(five, 9), at("score.image_reweighted9_bank5")[image].item<double>(), 1e-5);
    EXPECT_NEAR(score(bank, 1), at("score.image_reweighted1")[image].item<double>(), 1e-5);
  }
}

TEST_F(PatchcoreGolden, Map) {
  const torch::Tensor patches = at("map.patch_scores"), wanted = at("map.official");
  for (std::int64_t image = 0; image < 2; ++image) {
    const std::vector<PatchScores> scores = maps_of(patches[image].reshape({1, -1}), 8, 8);
    const ScoreMap map = gaussian_smooth(resize_bilinear(scores[0].map, 72, 60), 4);
    expect_close(torch::from_blob(const_cast<float*>(map.values.data()), {60, 72}), wanted[image], 1e-4);
  }
}

TEST(Coreset, RuledOutRowsChangeNoPick) {
  torch::manual_seed(1);
  // Clusters of different density, over many leaves.
  const torch::Tensor rows =
      at::cat({torch::randn({9000, 6}), torch::randn({2000, 6}) * 0.1 + 4, torch::randn({50, 6}) * 3});
  for (const CoresetStart start : {CoresetStart::kApproximate, CoresetStart::kKCenter}) {
    const Coreset fast = greedy_coreset(rows, 700, start, {11, 400, 9000});
    const Coreset plain = greedy_coreset_literal(rows, 700, start, {11, 400, 9000});
    EXPECT_EQ(fast.index, plain.index);
    EXPECT_EQ(fast.radius, plain.radius);
  }
}

TEST(Coreset, EqualRowsAndMoreThanThereAre) {
  const Coreset all = greedy_coreset(torch::ones({5, 3}), 9, CoresetStart::kApproximate, {2});
  std::vector<std::int64_t> sorted = all.index;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(all.radius.back(), 0);
}

TEST(Density, UnitIsTheReachBesideItsMedian) {
  // On a line: distances to the second nearest other row are 2, 1, 2, 97, 98 (median 2).
  const torch::Tensor rows = torch::tensor({{0.F}, {1.F}, {2.F}, {99.F}, {100.F}});
  const torch::Tensor units = density_units(NearestRows(rows), 2);
  expect_close(units, torch::tensor({3.F, 2.F, 3.F, 98.F, 99.F}) * 2 / 3, 1e-5);
}

TEST(Density, NoUnitIsZero) {
  for (const torch::Tensor& rows : {torch::ones({1, 3}), torch::ones({4, 3})})
    EXPECT_TRUE(density_units(NearestRows(rows), 4).equal(torch::ones({rows.size(0)})));
  // Twins beside rows that stand apart.
  const torch::Tensor twins = torch::tensor({{0.F}, {0.F}, {0.F}, {5.F}, {9.F}, {14.F}, {20.F}});
  EXPECT_GT(density_units(NearestRows(twins), 2).min().item<float>(), 1);
}

TEST(Reweighting, KnownValue) {
  // method_facts section 26: distances .5, .7, .9 to the neighbours, .5 to the nearest: .365346250411131
  const torch::Tensor bank = torch::tensor({{0.5F}, {0.7F}, {0.9F}});
  EXPECT_NEAR(reweighted_score(torch::zeros({1}), 0, NearestRows(bank), 3), 0.365346250411131, 1e-6);
}

}  // namespace
}  // namespace glint
