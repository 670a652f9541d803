#include "glint/detect/spade/spade.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "glint/detect/spade/gallery.h"
#include "glint/image/resample.h"
#include "golden.h"
#include "tensor_compare.h"

namespace glint {
namespace {

TEST(SpadeGolden, NeighboursDistancesAndMap) {
  const SafetensorsFile file = golden("spade");
  const auto at = [&](const std::string& name) { return to_tensor(file.tensors.at(name)); };
  const SpadeFeatures gallery{at("train.vector"),
                              {at("train.layer1"), at("train.layer2"), at("train.layer3")}};
  for (std::int64_t i = 0; i < 2; ++i) {
    const auto part = [&](const std::string& name) { return at(name).slice(0, i, i + 1); };
    const SpadeFeatures image{part("test.vector"),
                              {part("test.layer1"), part("test.layer2"), part("test.layer3")}};
    const NearestImages nearest = nearest_images(image.vector, gallery.vector, 5);
    EXPECT_TRUE(torch::tensor(nearest.index).equal(at("neighbour_index")[i]));
    expect_close(nearest.distance.to(torch::kDouble), at("neighbour_distance")[i], 1e-5);
    EXPECT_NEAR(nearest.distance.mean().item<double>(), at("image_score")[i].item<double>(), 1e-4);
    const auto distances = gallery_distances(image, gallery, nearest.index);
    for (int l = 0; l < 3; ++l) {
      expect_close(distances[l].to(torch::kDouble), at(fmt::format("image{}.layer{}_distance", i, l + 1)),
                   1e-5);
    }
    const torch::Tensor map = mean_of_layers(distances, 48, 48);
    expect_close(map.to(torch::kDouble), at("map.unsmoothed")[i], 1e-5);
    ScoreMap plain(48, 48);
    std::copy_n(map.data_ptr<float>(), plain.values.size(), plain.values.begin());
    const ScoreMap smooth = gaussian_smooth(plain, 4);
    expect_close(torch::from_blob(const_cast<float*>(smooth.values.data()), {48, 48}).to(torch::kDouble),
                 at("map.smoothed")[i], 1e-5);
  }
}

}  // namespace
}  // namespace glint
