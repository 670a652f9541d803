#include "glint/detect/trainable_resnet.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "glint/nn/backbone.h"
#include "glint/nn/backbone_net.h"
#include "tensor_compare.h"

namespace glint {
namespace {

std::int64_t parameter_count(const ResNetShape& shape) {
  NetLayout layout;
  std::int64_t count = 0;
  for (const NetLayout::Entry& entry : add_resnet(layout, shape).entries()) {
    if (entry.kind == TensorKind::kMean || entry.kind == TensorKind::kVariance) continue;
    count += c10::multiply_integers(entry.shape);
  }
  return count;
}

TEST(TrainableResNet, HasTorchvisionsParameters) {
  // torchvision's counts without the classifier; ResNet-18's up to layer3 as in STFPM's student
  EXPECT_EQ(parameter_count(resnet_shape(backbone_spec("resnet18"), 4)), 11'689'512 - 513'000);
  EXPECT_EQ(parameter_count(resnet_shape(backbone_spec("compact"), 3)), 2'782'784);
  EXPECT_EQ(parameter_count(resnet_shape(backbone_spec("resnet50"), 4)), 25'557'032 - 2'049'000);
  EXPECT_EQ(parameter_count(resnet_shape(backbone_spec("wide_resnet50_2"), 4)), 66'834'240);
}

/// A network whose running statistics are none of the first values.
TrainableNet used_net(const ResNetShape& shape, const std::string& prefix) {
  NetLayout layout;
  TrainableNet net = TrainableNet::initial(add_resnet(layout, shape, prefix), InitialWeights::kKaiming, 3,
                                           "trainable_resnet_test");
  const torch::NoGradGuard no_grad;
  torch::manual_seed(4);
  for (int i = 0; i < 3; ++i) resnet_maps(net, shape, torch::randn({2, 3, 32, 32}), true, prefix);
  return net;
}

TEST(TrainableResNet, IsTheBackboneOnceItsBatchNormIsFolded) {
  for (const char* name : {"resnet18", "resnet50"}) {
    const BackboneSpec& spec = backbone_spec(name);
    const ResNetShape shape = resnet_shape(spec, 3);
    const TrainableNet net = used_net(shape, "body.");
    TensorDict plain;
    for (auto& [key, tensor] : net.to_dict("")) plain[key.substr(5)] = tensor;
    const Backbone folded({name, "", "test", ""}, fold_backbone(plain, spec, "test"));
    const torch::NoGradGuard no_grad;
    const torch::Tensor images = torch::randn({1, 3, 70, 64});
    const std::vector<torch::Tensor> got = resnet_maps(net, shape, images, false, "body.");
    const FeatureMaps want = folded.features(images);
    ASSERT_EQ(got.size(), 3U);
    expect_close(got[0], want.layer1, 1e-4, name);
    expect_close(got[1], want.layer2, 1e-4, name);
    expect_close(got[2], want.layer3, 1e-4, name);
  }
}

TEST(TrainableResNet, TrainingNormalisesByTheBatchAndReachesEveryParameter) {
  const ResNetShape shape{.blocks = {1, 1}};
  EXPECT_EQ(shape.channels(4), 512);
  TrainableNet net = used_net(shape, "");
  net.require_gradients(true);
  const torch::Tensor images = torch::randn({2, 3, 32, 32}) * 5;
  const torch::Tensor mean = net.at("bn1.running_mean").clone();
  const torch::Tensor judged = resnet_maps(net, shape, images, false)[1].detach();
  EXPECT_TRUE(net.at("bn1.running_mean").equal(mean));
  // in evaluation mode an image's map does not depend on the others of its batch; in training it does
  expect_close(resnet_maps(net, shape, images.slice(0, 0, 1), false)[1], judged.slice(0, 0, 1), 1e-5);
  const torch::Tensor trained = resnet_maps(net, shape, images, true)[1];
  EXPECT_FALSE(net.at("bn1.running_mean").equal(mean));
  EXPECT_GT((trained - judged).abs().max().item<double>(), 1e-2);
  (trained * torch::randn(trained.sizes())).sum().backward();
  for (const torch::Tensor& p : net.parameters()) EXPECT_GT(p.grad().abs().max().item<double>(), 0);
}

TEST(TrainableResNet, AnEnlargingLayerDoublesTheGrid) {
  for (const bool bottleneck : {false, true}) {
    const ResidualLayer layer{.name = "up",
                              .blocks = 2,
                              .in = 12,
                              .width = 5,
                              .out = 8,
                              .stride = 2,
                              .bottleneck = bottleneck,
                              .enlarges = true};
    NetLayout layout;
    const TrainableNet net = TrainableNet::initial(add_residual_layer(layout, layer),
                                                   InitialWeights::kKaiming, 1, "trainable_resnet_test");
    EXPECT_EQ(net.at("up.0.upsample.0.weight").sizes(), (std::vector<std::int64_t>{12, 8, 2, 2}));
    EXPECT_EQ(run_residual_layer(net, layer, torch::randn({1, 12, 3, 4}), false).sizes(),
              (std::vector<std::int64_t>{1, 8, 6, 8}));
  }
}

}  // namespace
}  // namespace glint
