#include "glint/detect/dfm/dfm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "glint/detect/dfm/subspace.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "tensor_compare.h"

namespace glint {
namespace {

TEST(DfmGolden, SubspaceAndScores) {
  const SafetensorsFile file = golden("dfm");
  const auto at = [&](const std::string& name) { return to_tensor(file.tensors.at(name)); };
  const auto pooled = [&](const std::string& part) { return at::avg_pool2d(at(part + ".features"), 2, 2); };
  expect_close(pooled("train").flatten(1).to(torch::kDouble), at("train.vector"), 1e-5);
  const Subspace subspace = fit_subspace(at("train.vector"), 0.97);
  const auto k = at("components_reaching").item<std::int64_t>();
  ASSERT_EQ(subspace.components.size(0), k);
  expect_close(subspace.mean, at("mean"), 1e-6);
  expect_close(subspace.variances, at("singular_values").slice(0, 0, k).square() / 16.0, 1e-6);
  const torch::Tensor rest = unexplained(at("test.vector"), subspace);
  expect_close(rest.square().sum(1), at("reaching.score"), 1e-5);
  expect_close(rest.reshape_as(pooled("test")).square().sum(1), at("reaching.map"), 1e-5);
  expect_close(subspace_surprise(at("test.vector"), subspace), at("reaching.nll"), 1e-5);
}

TEST(Subspace, WhatItWasMadeFromIsExplained) {
  torch::manual_seed(3);
  const torch::Tensor vectors = torch::randn({6, 40}, torch::kDouble);
  const Subspace all = fit_subspace(vectors, 0.999999);
  EXPECT_EQ(all.components.size(0), 5);
  EXPECT_LT(unexplained(vectors, all).abs().max().item<double>(), 1e-9);
  const torch::Tensor same = torch::ones({4, 7}, torch::kDouble);
  EXPECT_TRUE(unexplained(same, fit_subspace(same, 0.97)).isfinite().all().item<bool>());
}

}  // namespace
}  // namespace glint
