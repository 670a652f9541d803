#include "glint/detect/padim/padim.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "glint/detect/padim/gaussians.h"
#include "glint/detect/patch_features.h"
#include "glint/image/resample.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "tensor_compare.h"

namespace glint {
namespace {

/// Back from pack_triangles: [positions, d, d], zeros above the diagonal.
torch::Tensor unpack_triangles(const torch::Tensor& packed, std::int64_t d) {
  const torch::Tensor at = at::tril_indices(d, d);
  torch::Tensor out = torch::zeros({packed.size(0), d * d}, packed.options());
  out.index_copy_(1, at[0] * d + at[1], packed);
  return out.reshape({packed.size(0), d, d});
}

class PadimGolden : public ::testing::Test {
 protected:
  torch::Tensor at(const std::string& name) const { return to_tensor(file_.tensors.at(name)); }
  torch::Tensor embedding(const std::string& part) const {
    const torch::Tensor joined =
        join_maps({at(part + ".layer1"), at(part + ".layer2"), at(part + ".layer3")}, Alignment::kNearest);
    return joined.index_select(1, at("channel_index"));
  }
  GaussianSums sums() const {
    GaussianSums out(64, 9);
    const torch::Tensor train = positions_of(embedding("train"));
    out.add(train.slice(0, 0, 5));  // in parts, as training does
    out.add(train.slice(0, 5));
    return out;
  }
  SafetensorsFile file_ = golden("padim");
};

TEST_F(PadimGolden, Embedding) {
  EXPECT_TRUE(embedding("train").equal(at("train.embedding")));
  EXPECT_TRUE(embedding("test").equal(at("test.embedding")));
}

TEST_F(PadimGolden, Gaussians) {
  expect_close(sums().mean(), at("mean"), 1e-6);
  expect_close(sums().covariance(0.01), at("covariance"), 1e-6);
  const torch::Tensor whitening = unpack_triangles(sums().finish(0.01, torch::kDouble).triangles, 9);
  expect_close(at::bmm(whitening, at("cholesky")), torch::eye(9, torch::kDouble).expand_as(whitening), 1e-6);
}

TEST_F(PadimGolden, DistancesMapsAndScores) {
  const torch::Tensor test = positions_of(embedding("test")).to(torch::kDouble);
  const torch::Tensor distance = mahalanobis(test, sums().finish(0.01, torch::kDouble));
  expect_close(distance.reshape({2, 8, 8}), at("distance"), 1e-5);
  expect_close(mahalanobis(test, sums().finish(0.01 + 1e-5, torch::kDouble)).reshape({2, 8, 8}),
               at("distance_extra_1e-5"), 1e-5);
  const auto maps =
      maps_of(mahalanobis(positions_of(embedding("test")), sums().finish(0.01, torch::kFloat)), 8, 8);
  for (std::int64_t i = 0; i < 2; ++i) {
    const ScoreMap map = gaussian_smooth(resize_bilinear(maps[i].map, 64, 64), 4);
    const torch::Tensor made =
        torch::from_blob(const_cast<float*>(map.values.data()), {64, 64}).to(torch::kDouble);
    expect_close(made, at("map.symmetric")[i], 1e-4);
    EXPECT_NEAR(made.max().item<double>(), at("score.symmetric")[i].item<double>(), 1e-4);
  }
}

TEST(Gaussians, TrianglesComeBack) {
  torch::manual_seed(2);
  const torch::Tensor lower = torch::randn({3, 5, 5}).tril();
  EXPECT_EQ(pack_triangles(lower).size(1), 15);
  EXPECT_TRUE(unpack_triangles(pack_triangles(lower), 5).equal(lower));
}

}  // namespace
}  // namespace glint
