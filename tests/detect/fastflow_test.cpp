#include "glint/detect/fastflow/fastflow.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "glint/detect/fastflow/network.h"
#include "glint/nn/adam.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "tensor_compare.h"

namespace glint {
namespace {

FastFlowOptions small_options(ClampForm form = ClampForm::kPlain) {
  FastFlowOptions options;
  options.blocks = 4;
  options.kernels = FlowKernels::kAlternate;
  options.clamp_form = form;
  return options;
}

class FastFlowGolden : public ::testing::TestWithParam<const char*> {
 protected:
  torch::Tensor at(const std::string& name) const { return to_tensor(file_.tensors.at(name)); }
  torch::Tensor want(const std::string& name) const { return at(GetParam() + ("." + name)); }
  FastFlowNetwork network() const {
    TensorDict tensors = take_prefixed(file_.tensors, "initial.");
    for (auto& [name, tensor] : tensors) {
      if (name.ends_with(".permutation")) tensor = to_host(to_tensor(tensor).to(torch::kFloat));
    }
    const bool plain = std::string(GetParam()) == "plain";
    return FastFlowNetwork::from_dict(
        tensors, {6, 9}, small_options(plain ? ClampForm::kPlain : ClampForm::kDivided), "golden");
  }
  std::vector<torch::Tensor> features() const { return {at("features.scale0"), at("features.scale1")}; }
  SafetensorsFile file_ = golden("fastflow");
};

TEST_P(FastFlowGolden, OutputsAndMap) {
  const std::vector<FlowOutput> scales = network().run(features());
  for (std::size_t i = 0; i < 2; ++i) {
    expect_close(scales[i].z, want("output" + std::to_string(i)), 1e-4);
    expect_close(scales[i].log_det, want("log_det" + std::to_string(i)), 1e-4);
  }
  const torch::Tensor map = fastflow_map(scales, 32, 32);
  expect_close(map, want("map"), 1e-4);
  expect_close(map.flatten(1).amax(1), want("image_score"), 1e-4);
}

TEST_P(FastFlowGolden, FiveStepsOfTraining) {
  FastFlowNetwork net = network();
  net.require_gradients(true);
  const std::vector<torch::Tensor> parameters = net.parameters();
  AdamState adam = AdamState::of(parameters);
  for (std::int64_t step = 0; step <= 5; ++step) {
    const torch::Tensor loss = fastflow_loss(net.run(features()));
    expect_close(loss, want("losses")[step], step == 0 ? 1e-4 : 1e-3, "loss " + std::to_string(step));
    if (step == 5) break;
    loss.backward();
    if (step == 0) {
      for (const char* name : {"flow0.block1.conv1.weight", "flow0.block1.conv2.bias", "flow0.block1.gamma",
                               "flow0.block1.offset", "norm1.weight"})
        expect_close(net.at(name).grad(), want(std::string("gradient.") + name), 1e-3, name);
    }
    adam_step(adam, {1e-3, 1e-5}, parameters, take_gradients(parameters));
  }
  const torch::NoGradGuard no_grad;
  expect_close(fastflow_map(net.run(features()), 32, 32), want("final_map"), 1e-3);
}
INSTANTIATE_TEST_SUITE_P(Clamps, FastFlowGolden, ::testing::Values("plain", "divided"));

TEST(FastFlow, BFloat16StaysClose) {
  const FastFlowNetwork::Shapes scales = {{16, 8, 8}, {24, 4, 4}};
  FastFlowNetwork net = FastFlowNetwork::initial(scales, small_options(), 3);
  torch::manual_seed(5);
  const std::vector<torch::Tensor> maps = {torch::randn({2, 16, 8, 8}), torch::randn({2, 24, 4, 4})};
  const torch::Tensor exact = fastflow_map(net.run(maps), 8, 8);
  net.use_bfloat16(true);
  const torch::Tensor rounded = fastflow_map(net.run(maps), 8, 8);
  EXPECT_FALSE(rounded.equal(exact));
  expect_close(rounded, exact, 5e-3);
}

TEST(FastFlow, TheBaselineIsThePublishedRecipeAndTheOthersAreShort) {
  const auto options = [](Recipe recipe, const char* backbone) {
    const auto method = make_fastflow();
    const RecipeDefaults defaults = method->apply_recipe(recipe, backbone_spec(backbone));
    EXPECT_EQ(defaults.input.size, 256);
    EXPECT_EQ(defaults.scoring.smoothing_sigma, 0);
    OptionTable table;
    method->describe(table);
    return table.to_json()["fastflow"];
  };
  const auto passes = [](const nlohmann::json& o) {
    return o["meta_epochs"].get<int>() * o["passes"].get<int>();
  };
  const nlohmann::json published = options(Recipe::kBaseline, "resnet18");
  EXPECT_EQ(passes(published), 500);
  EXPECT_EQ(published["batch"], 32);
  EXPECT_EQ(published["kernels"], "all_3x3");
  EXPECT_EQ(options(Recipe::kBaseline, "wide_resnet50_2")["kernels"], "alternate");
  EXPECT_LT(passes(options(Recipe::kRefined, "resnet18")), 100);
}

/// Counted from the published code: flows and norms with ResNet-18 and WideResNet-50-2 at 256 pixels.
TEST(FastFlow, HasThePublishedNumberOfParameters) {
  const auto bytes = [](std::int64_t expansion, FlowKernels kernels) {
    FastFlowOptions options;
    options.kernels = kernels;
    return FastFlowNetwork::bytes(
        {{64 * expansion, 64, 64}, {128 * expansion, 32, 32}, {256 * expansion, 16, 16}}, options);
  };
  const std::int64_t orders = 8 * (64 + 128 + 256);  // of channels: not trained
  EXPECT_EQ(bytes(1, FlowKernels::kAll3x3), 4 * (4657408 + 917504 + orders));
  EXPECT_EQ(bytes(4, FlowKernels::kAlternate), 4 * (41337856 + 3670016 + 4 * orders));
}

TEST(FastFlow, ADamagedModelIsRefused) {
  const FastFlowNetwork::Shapes scales = {{6, 4, 5}, {8, 2, 3}};
  const TensorDict good = FastFlowNetwork::initial(scales, small_options(), 1).to_dict();
  const FastFlowNetwork back = FastFlowNetwork::from_dict(good, {6, 8}, small_options(), "m");
  EXPECT_EQ(back.scales(), scales);
  EXPECT_EQ(back.to_dict().size(), good.size());
  const auto refused = [&](const std::string& name, const HostTensor& value, const std::string& why) {
    TensorDict bad = good;
    bad[name] = value;
    try {
      FastFlowNetwork::from_dict(bad, {6, 8}, small_options(), "m.glint");
      ADD_FAILURE() << why;
    } catch (const std::exception& e) {
      EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find("m.glint"), std::string::npos) << e.what();
    }
  };
  refused("norm0.weight", from_floats(std::vector<float>(6), {6}), "height, width");
  refused("norm1.weight", from_floats(std::vector<float>(42), {7, 2, 3}), "wanted [8, height, width]");
  refused("norm1.weight", from_floats({}, {8, 0, 3}), "wanted [8, height, width]");
  refused("norm1.bias", from_floats(std::vector<float>(48, NAN), {8, 2, 3}), "not finite");
  refused("flow1.block3.offset", from_floats({1}, {1}), "shape");
  refused("flow0.block2.permutation", from_floats({0, 1, 2, 3, 4, 4}, {6}), "no order of all channels");
  // maps of another size than those that it was trained on
  EXPECT_THROW(back.run({torch::zeros({1, 6, 5, 4}), torch::zeros({1, 8, 2, 3})}), std::exception);
}

}  // namespace
}  // namespace glint
