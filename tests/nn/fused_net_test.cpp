#include "glint/nn/fused_net.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <thread>

#include "formula_weights.h"
#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/nn/backbone.h"
#include "glint/nn/backbone_store.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

RgbImage noise_image(int width, int height, std::uint64_t seed) {
  RgbImage image(width, height);
  Rng rng(seed, "test.image");
  for (auto& level : image.pixels) level = static_cast<std::uint8_t>(rng.below(256));
  return image;
}

TensorDict network(const std::string& name) {
  if (name == "compact") return open_backbone("compact").weights();
  const BackboneSpec& spec = backbone_spec(name);
  return fold_backbone(torchvision_weights(spec, 3), spec, "formula");
}

torch::Tensor plain(const HostBuffer& buffer) {
  return share_tensor(buffer).contiguous();
}

class FusedNetTest : public ::testing::TestWithParam<const char*> {
 protected:
  const BackboneSpec& spec_ = backbone_spec(GetParam());
  TensorDict folded_ = network(GetParam());
};

TEST_P(FusedNetTest, Float32EqualsLibtorchsLayers) {
  Backbone reference({GetParam(), "", "formula", ""}, folded_);
  reference.to(DeviceChoice::kCpu, Precision::kFloat32);
  const FusedNet net(spec_, folded_, Precision::kFloat32, "formula");
  for (const auto& [width, height] : {std::pair(64, 64), std::pair(71, 50)}) {
    const std::vector<RgbImage> images = {noise_image(width, height, 1), noise_image(width, height, 2)};
    const auto wanted = reference.maps(images, {1, 2, 3}), got = net.maps(images, {1, 2, 3});
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const torch::Tensor a = plain(wanted[i]), b = plain(got[i]);
      ASSERT_EQ(a.sizes(), b.sizes());
      EXPECT_LT((a - b).abs().max().item<float>(), 2e-5F * a.abs().max().item<float>()) << "layer " << i + 1;
    }
  }
}

TEST_P(FusedNetTest, BFloat16IsNearFloat32) {
  const FusedNet exact(spec_, folded_, Precision::kFloat32, "formula"),
      rounded(spec_, folded_, Precision::kBFloat16, "formula");
  const std::vector<RgbImage> images = {noise_image(64, 64, 1)};
  const torch::Tensor a = plain(exact.maps(images, {3})[0]), b = plain(rounded.maps(images, {3})[0]);
  EXPECT_LT((a - b).norm().item<float>(), 0.03F * a.norm().item<float>());
  EXPECT_GT((a - b).norm().item<float>(), 0);
}

TEST_P(FusedNetTest, Int8IsNearFloat32) {
  if (!FusedNet::runs_here(Precision::kInt8)) GTEST_SKIP() << "this processor has no VNNI";
  const FusedNet exact(spec_, folded_, Precision::kFloat32, "formula");
  const std::vector<RgbImage> images = {noise_image(71, 50, 1), noise_image(71, 50, 2)};
  const FusedNet bytes(spec_, folded_, Precision::kInt8, "formula", exact.ranges(images));
  const auto wanted = exact.maps(images, {1, 2, 3}), got = bytes.maps(images, {1, 2, 3});
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const torch::Tensor a = plain(wanted[i]), b = plain(got[i]);
    ASSERT_EQ(a.sizes(), b.sizes());
    EXPECT_LT((a - b).norm().item<float>(), 0.08F * a.norm().item<float>()) << "layer " << i + 1;
    // The border is the mean grey, as exactly as the inside.
    EXPECT_LT((a - b).select(2, 0).norm().item<float>(), 0.08F * a.select(2, 0).norm().item<float>())
        << "layer " << i + 1;
    EXPECT_GT((a - b).norm().item<float>(), 0);
  }
}

TEST_P(FusedNetTest, RangesAreTheLargestMagnitudes) {
  const FusedNet exact(spec_, folded_, Precision::kFloat32, "formula");
  const RgbImage one = noise_image(64, 64, 1), two = noise_image(64, 64, 2);
  const ActivationRanges both = exact.ranges({one, two}), first = exact.ranges({one});
  ASSERT_EQ(both.size(), conv_shapes(spec_).size());
  for (const auto& [name, range] : both) {
    ASSERT_EQ(range.size(), first.at(name).size());
    for (std::size_t c = 0; c < range.size(); ++c) EXPECT_GE(range[c], first.at(name)[c]) << name;
  }
  const auto maps = exact.maps({one, two}, {3});
  const std::string last = fmt::format("layer3.{}.conv{}{}", spec_.blocks[2] - 1, spec_.bottleneck ? 3 : 2,
                                       spec_.rank_ratio > 0 ? ".expand" : "");
  EXPECT_EQ(both.at(last).front(), plain(maps[0]).max().item<float>());
}

INSTANTIATE_TEST_SUITE_P(Networks, FusedNetTest, ::testing::Values("compact", "resnet18", "resnet50"));

TEST(FusedNet, AValueDoesNotDependOnNeighboursLayersOrThreads) {
  const BackboneSpec& spec = backbone_spec("compact");
  std::vector<RgbImage> images;
  for (std::uint64_t i = 0; i < 5; ++i) images.push_back(noise_image(96, 64, i));
  const FusedNet net(spec, network("compact"), Precision::kBFloat16, "embedded");
  const auto together = net.maps(images, {2, 3});
  std::vector<std::vector<HostBuffer>> alone(images.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < images.size(); ++i)
      threads.emplace_back([&, i] {
        omp_set_num_threads(1 + static_cast<int>(i % 3));
        alone[i] = net.maps({images[i]}, i % 2 == 0 ? std::vector{2} : std::vector{2, 3});
      });
  }
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto n = static_cast<std::int64_t>(i);
    EXPECT_TRUE(torch::equal(plain(together[0])[n], plain(alone[i][0])[0])) << i;
    if (i % 2 == 1) {
      EXPECT_TRUE(torch::equal(plain(together[1])[n], plain(alone[i][1])[0])) << i;
    }
  }
}

TEST(FusedNet, Int8WantsARangeOfEveryConvolution) {
  const BackboneSpec& spec = backbone_spec("compact");
  ActivationRanges ranges =
      FusedNet(spec, network("compact"), Precision::kFloat32, "x").ranges({noise_image(64, 64, 1)});
  ranges.erase("layer2.0.downsample.0");
  try {
    FusedNet(spec, network("compact"), Precision::kInt8, "part.glint", ranges);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(
        std::string(e.what()).find("part.glint: int8 needs 1 activation range of 'layer2.0.downsample.0'"),
        std::string::npos)
        << e.what();
  }
}

TEST(FusedNet, MemoryIsReusedOverImages) {
  const FusedNet net(backbone_spec("compact"), network("compact"), Precision::kFloat32, "embedded");
  const RgbImage first = noise_image(64, 64, 1), second = noise_image(64, 64, 2);
  const torch::Tensor a = plain(net.maps({first}, {2})[0]).clone();
  net.maps({second}, {2});
  EXPECT_TRUE(torch::equal(plain(net.maps({first}, {2})[0]), a));
}

}  // namespace
}  // namespace glint
