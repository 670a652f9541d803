#include "glint/detect/cflow/cflow.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/error.h"
#include "glint/detect/cflow/network.h"
#include "glint/detect/patch_features.h"
#include "glint/nn/adam.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "tensor_compare.h"

namespace glint {
namespace {

CflowOptions four_blocks(ClampForm form = ClampForm::kPlain) {
  CflowOptions options;
  options.blocks = 4;
  options.condition = 16;
  options.clamp_form = form;
  return options;
}

class CflowGolden : public ::testing::TestWithParam<const char*> {
 protected:
  torch::Tensor at(const std::string& name) const { return to_tensor(file_.tensors.at(name)); }
  torch::Tensor want(const std::string& name) const { return at(GetParam() + ("." + name)); }
  CflowNetwork network() const {
    const bool plain = std::string(GetParam()) == "plain";
    return CflowNetwork::from_dict(take_prefixed(file_.tensors, "initial."), {8, 10, 12},
                                   four_blocks(plain ? ClampForm::kPlain : ClampForm::kDivided), "golden");
  }
  torch::Tensor features(std::size_t layer) const { return at("features.layer" + std::to_string(layer)); }
  /// All vectors of a layer, rows (image, y, x), and their conditions.
  std::pair<torch::Tensor, torch::Tensor> rows(std::size_t layer) const {
    const torch::Tensor maps = features(layer);
    const torch::Tensor code = positions_of(position_code(16, maps.size(2), maps.size(3)).unsqueeze(0));
    return {positions_of(maps).flatten(0, 1), code[0].repeat({maps.size(0), 1})};
  }
  SafetensorsFile file_ = golden("cflow");
};

TEST_P(CflowGolden, Likelihoods) {
  const CflowNetwork net = network();
  const std::vector<torch::Tensor> values = net.likelihoods({features(0), features(1), features(2)});
  for (std::size_t i = 0; i < 3; ++i) {
    const auto [x, condition] = rows(i);
    const FlowOutput out = net.run(i, x, condition);
    const std::string layer = std::to_string(i);
    expect_close(out.z, want("output" + layer), 1e-4);
    expect_close(out.log_det, want("log_det" + layer), 1e-4);
    expect_close(log_likelihood(out), want("log_prob" + layer), 1e-4);
    expect_close(values[i].flatten() * x.size(1), want("log_prob" + layer), 1e-4);
  }
}

TEST_P(CflowGolden, Map) {
  const std::vector<torch::Tensor> values = network().likelihoods({features(0), features(1), features(2)});
  std::vector<float> peaks;
  for (const torch::Tensor& v : values) peaks.push_back(v.max().item<float>());
  // Published: the largest sum over all test images less the sum; ours: the number of layers less the sum.
  const torch::Tensor map = cflow_map(values, peaks, 24, 24);
  const torch::Tensor published = map - map.min();
  expect_close(published, want("map"), 1e-4);
  expect_close(published.flatten(1).amax(1), want("image_score"), 1e-4);
}

TEST_P(CflowGolden, SixFibres) {
  CflowNetwork net = network();
  net.require_gradients(true);
  const auto [x, condition] = rows(0);
  const torch::Tensor order = at("fibre.permutation");
  const std::vector<torch::Tensor> parameters = net.parameters(0);
  AdamState adam = AdamState::of(parameters);
  for (std::int64_t step = 0; step < 6; ++step) {
    const torch::Tensor fibre = order.narrow(0, 32 * step, 32);
    const torch::Tensor likelihood =
        log_likelihood(net.run(0, x.index_select(0, fibre), condition.index_select(0, fibre)));
    const torch::Tensor loss = cflow_loss(likelihood / 8);
    expect_close(loss, want("fibre_losses")[step], step == 0 ? 1e-4 : 1e-3, std::to_string(step));
    loss.backward();
    if (step == 0) {
      for (const char* name :
           {"flow0.block1.fc1.weight", "flow0.block1.fc2.bias", "flow0.block1.gamma", "flow0.block1.offset"})
        expect_close(net.at(name).grad(), want(std::string("gradient.") + name), 1e-3, name);
    }
    adam_step(adam, {2e-4}, parameters, take_gradients(parameters));
  }
  const torch::NoGradGuard no_grad;
  expect_close(log_likelihood(net.run(0, x, condition)), want("final_log_prob0"), 1e-3);
}
INSTANTIATE_TEST_SUITE_P(Clamps, CflowGolden, ::testing::Values("plain", "divided"));

TEST(Cflow, PositionCode) {
  const SafetensorsFile file = golden("cflow");
  expect_close(position_code(128, 3, 4), to_tensor(file.tensors.at("position.d128_3x4")), 1e-6);
  expect_close(position_code(16, 5, 7), to_tensor(file.tensors.at("position.d16_5x7")), 1e-6);
  EXPECT_NEAR(position_code(128, 3, 4)[62][1][3].item<double>(), 0.00040006, 1e-8);
  EXPECT_NEAR(position_code(128, 3, 4)[64][1][3].item<double>(), 0.84147098, 1e-7);
}

TEST(Cflow, StepSizes) {
  const torch::Tensor want = to_tensor(golden("cflow").tensors.at("learning_rate"));
  const int batches[] = {0, 13, 39};
  for (int epoch = 0; epoch < 25; ++epoch) {
    for (int k = 0; k < 3; ++k) {
      const double rate = want[epoch][k].item<double>();
      EXPECT_NEAR(cflow_learning_rate(2e-4, epoch, 25, batches[k] / 40.0), rate, 1e-6 * rate) << epoch;
    }
  }
}

TEST(Cflow, NumbersByHand) {
  const FlowOutput none{torch::zeros({1, 128}), torch::zeros({1})};
  EXPECT_NEAR(log_likelihood(none).item<double>(), -117.6241322501981, 1e-4);
  EXPECT_NEAR(cflow_loss(torch::tensor({-1.2})).item<double>(), 1.4632824673380311, 1e-6);
  // A vector likelier than every good part's counts as the likeliest; one layer of two at e^-1.
  const std::vector<torch::Tensor> values = {torch::full({1, 2, 2}, 3.0), torch::full({1, 1, 1}, -2.0)};
  const torch::Tensor map = cflow_map(values, {1, -1}, 2, 2);
  expect_close(map, torch::full({1, 2, 2}, 1 - std::exp(-1.0)), 1e-6);
}

TEST(Cflow, TheBaselineIsThePublishedRecipeAndTheOthersAreShort) {
  const auto passes = [](Recipe recipe) {
    const auto method = make_cflow();
    const RecipeDefaults defaults = method->apply_recipe(recipe, backbone_spec("resnet18"));
    EXPECT_EQ(defaults.input.size, 256);
    EXPECT_EQ(defaults.scoring.upsampling, Upsampling::kAlignedCorners);
    EXPECT_GT(method->needs().normalisation_share, 0);
    OptionTable table;
    method->describe(table);
    const nlohmann::json options = table.to_json()["cflow"];
    EXPECT_EQ(options["batch"], 32);
    return options["meta_epochs"].get<int>() * options["passes"].get<int>();
  };
  EXPECT_EQ(passes(Recipe::kBaseline), 200);
  EXPECT_LT(passes(Recipe::kRefined), 100);
}

/// Counted from the published code, with layer4: flows with ResNet-18 and WideResNet-50-2.
TEST(Cflow, HasThePublishedNumberOfParameters) {
  const std::int64_t rotations = 8 * (128 * 128 + 256 * 256 + 512 * 512);  // not trained
  EXPECT_EQ(CflowNetwork::bytes({128, 256, 512}, {}), 4 * (8620032 + rotations));
  EXPECT_EQ(CflowNetwork::bytes({512, 1024, 2048}, {}), 4 * (81647616 + 16 * rotations));
}

TEST(Cflow, ThePositionCodeHasSineAndCosineOfBothAxes) {
  const auto method = make_cflow();
  OptionTable table;
  method->describe(table);
  table.set_assignment("cflow.condition=18");
  try {
    check_method(*method, backbone_spec("resnet18"), {});
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("cflow.condition = 18"), std::string::npos) << e.what();
  }
}

TEST(Cflow, ADamagedModelIsRefused) {
  /// Of which load() asks nothing but the channels.
  class NoFeatures : public FeatureExtractor {
   public:
    const BackboneSpec& spec() const override { return backbone_spec("compact"); }
    Precision precision() const override { return Precision::kFloat32; }
    Engine engine() const override { return Engine::kTorch; }
    DeviceChoice place() const override { return DeviceChoice::kCpu; }
    std::vector<HostBuffer> maps(const std::vector<RgbImage>&, const std::vector<int>&) const override {
      return {};
    }
    std::vector<HostBuffer> tokens(const std::vector<RgbImage>&, const std::vector<int>&) const override {
      return {};
    }
  };
  const auto method = make_cflow();
  OptionTable table;
  method->describe(table);
  table.set_assignment("cflow.blocks=2");
  table.set_assignment("cflow.condition=4");
  table.set_assignment("cflow.hidden_ratio=0.1");
  CflowOptions options;
  options.blocks = 2;
  options.condition = 4;
  options.hidden_ratio = 0.1;
  const BackboneSpec& spec = backbone_spec("compact");
  TensorDict good = CflowNetwork::initial({spec.channels(2), spec.channels(3)}, options, 1).to_dict();
  good["cflow.peaks"] = from_floats({-1, -2}, {2});
  const auto extractor = std::make_shared<NoFeatures>();
  EXPECT_NE(method->load(extractor, good, "m.glint"), nullptr);
  const auto refused = [&](const std::string& name, const HostTensor& value, const std::string& why) {
    TensorDict bad = good;
    bad[name] = value;
    try {
      method->load(extractor, bad, "m.glint");
      ADD_FAILURE() << why;
    } catch (const std::exception& e) {
      EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find("m.glint"), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find(name), std::string::npos) << e.what();
    }
  };
  refused("cflow.peaks", from_floats({-1, NAN}, {2}), "finite");
  refused("cflow.peaks", from_floats({-1}, {1}), "shape");
  refused("flow1.block0.gamma", from_floats({1}, {1}), "shape");
  HostTensor rotation = good.at("flow0.block1.rotation");
  rotation = to_host(to_tensor(rotation) * 1.1);
  refused("flow0.block1.rotation", rotation, "no rotation");
}

}  // namespace
}  // namespace glint
