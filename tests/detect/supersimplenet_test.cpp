#include "glint/detect/supersimplenet/supersimplenet.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "glint/detect/patch_features.h"
#include "glint/detect/supersimplenet/losses.h"
#include "glint/detect/supersimplenet/network.h"
#include "glint/image/perlin_noise.h"
#include "glint/image/resample.h"
#include "glint/nn/adam.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "golden_weights.h"
#include "tensor_compare.h"

namespace glint {
namespace {

class SuperSimpleNetGolden : public ::testing::Test {
 protected:
  torch::Tensor at(const std::string& name) const { return to_tensor(file_.tensors.at(name)); }
  SuperSimpleNetwork network() const {
    return SuperSimpleNetwork::from_dict(formula_weights(file_, "weights.model"), 12, "golden");
  }
  SafetensorsFile file_ = golden("supersimplenet");
};

TEST_F(SuperSimpleNetGolden, Features) {
  expect_close(fine_features(at("layer2"), at("layer3"), LayerAlignment::kCorners), at("features"), 1e-4);
  expect_close(fine_features(at("layer2"), at("layer3"), LayerAlignment::kCentres),
               at("features_not_aligned"), 1e-4);
}

TEST_F(SuperSimpleNetGolden, PerlinMasks) {
  for (int i = 0; i < 4; ++i) {
    const torch::Tensor angle = at("perlin.angle" + std::to_string(i)).contiguous();
    const PerlinLattice lattice{static_cast<int>(angle.size(0)) - 1,
                                static_cast<int>(angle.size(1)) - 1,
                                {angle.data_ptr<double>(), angle.data_ptr<double>() + angle.numel()}};
    const ScoreMap noise = perlin_noise(lattice, 16, 16), fitted = resize_bilinear(noise, 10, 12);
    expect_close(torch::tensor(noise.values), at("perlin.noise" + std::to_string(i)), 1e-6);
    expect_close(torch::tensor(fitted.values), at("perlin.fitted")[i], 1e-6);
    const torch::Tensor mask = at("perlin.mask")[i];
    if (i != 2) {  // emptied by the coin
      EXPECT_TRUE(torch::tensor(fitted.values).gt(0.2).to(torch::kFloat).equal(mask.flatten()));
    }
  }
}

TEST_F(SuperSimpleNetGolden, Judging) {
  const SuperSimpleNetwork net = network();
  const torch::Tensor adapted = net.adapt(at("features"));
  expect_close(adapted, at("eval.adapted"), 1e-4);
  const SuperSimpleNetwork::Output out = net.heads(adapted);
  expect_close(out.map, at("eval.map_low"), 1e-4);
  expect_close(out.score, at("eval.score"), 1e-4);
  expect_close(out.score.sigmoid(), at("eval.score_sigmoid"), 1e-4);
  const std::vector<PatchScores> maps = maps_of(out.map.flatten(1), 12, 10);
  // The published blur has 25 taps and mirrors without the edge pixel; the product's (radius 16, edge pixel
  // repeated) is the same for every method and is tested elsewhere.
  const torch::Tensor taps = torch::tensor(gaussian_taps(4, 12));
  for (std::int64_t i = 0; i < 2; ++i) {
    const torch::Tensor large =
        torch::tensor(resize_bilinear(maps[static_cast<std::size_t>(i)].map, 40, 48).values);
    const torch::Tensor padded = at::reflection_pad2d(large.reshape({1, 48, 40}), {12, 12, 12, 12});
    const torch::Tensor blurred =
        at::conv2d(at::conv2d(padded.unsqueeze(0), taps.reshape({1, 1, 1, 25})), taps.reshape({1, 1, 25, 1}));
    expect_close(blurred, at("eval.map")[i], 1e-4);
  }
}

TEST_F(SuperSimpleNetGolden, FourStepsOfTraining) {
  SuperSimpleNetwork net = network();
  net.require_gradients(true);
  const std::vector<torch::Tensor> adapter = net.adapter_parameters(), heads = net.head_parameters();
  AdamState adapter_state = AdamState::of(adapter), head_state = AdamState::of(heads);
  const auto sampled = [&](const std::string& prefix, const TensorDict& all, double relative) {
    int seen = 0;
    for (const auto& [name, tensor] : all) {
      const auto index = file_.tensors.find(prefix + name + ".sample_index");
      if (index == file_.tensors.end()) continue;
      expect_close(to_tensor(tensor).flatten().index_select(0, to_tensor(index->second)),
                   at(prefix + name + ".sample_value"), relative, prefix + name);
      ++seen;
    }
    EXPECT_GE(seen, 5);
  };
  for (std::int64_t step = 0; step < 4; ++step) {
    const torch::Tensor mask = at("train.mask")[step].to(torch::kFloat).unsqueeze(1);
    EXPECT_TRUE(mask.flatten(1).amax(1).equal(at("train.label")[step].to(torch::kFloat)));
    const torch::Tensor adapted = net.adapt(at("features"));
    const SuperSimpleNetwork::Output out =
        net.heads(at::cat({adapted, adapted}) + at("train.noise")[step] * mask, true);
    if (step == 0) {
      expect_close(out.map, at("train.map0"), 1e-4);
      expect_close(out.score, at("train.score0"), 1e-4);
    }
    const SuperSimpleNetLosses losses = supersimplenet_losses(out.map, out.score, mask, 0.5, 4);
    const torch::Tensor got =
        at::stack({losses.normal, losses.anomalous, losses.map_focal, losses.score_focal, losses.total()});
    for (std::int64_t i = 0; i < 5; ++i)
      expect_close(got[i], at("train.losses")[step][i], 1e-3, "loss " + std::to_string(i));
    losses.total().backward();
    if (step == 0) {
      TensorDict gradients;
      const TensorDict weights = net.to_dict();
      std::vector<torch::Tensor> all = adapter;
      all.insert(all.end(), heads.begin(), heads.end());
      for (const torch::Tensor& p : all) {
        for (const auto& [name, w] : weights) {
          if (to_tensor(w).sizes() == p.sizes() && to_tensor(w).equal(p.detach()))
            gradients[name] = to_host(p.grad());
        }
      }
      sampled("gradient.", gradients, 2e-3);
    }
    for (auto [state, parameters, rate, decay] :
         {std::tuple(&adapter_state, &adapter, 1e-4, 0.01), std::tuple(&head_state, &heads, 2e-4, 1e-5)}) {
      adam_step(*state, {rate, decay, true}, *parameters, take_gradients(*parameters));
    }
  }
  sampled("final.", net.to_dict(), 2e-3);
  const torch::NoGradGuard no_grad;
  const SuperSimpleNetwork& trained = net;
  const SuperSimpleNetwork::Output out = trained.heads(trained.adapt(at("features")));
  expect_close(out.map, at("final.map_low"), 2e-3);
  expect_close(out.score, at("final.score"), 2e-3);
}

TEST(SuperSimpleNet, DefectsLieInTheirMasks) {
  SuperSimpleNetOptions options;
  options.noise_std = 2;
  const SyntheticDefects d = draw_defects(40, 3, 10, 12, torch::kFloat, options, 7);
  EXPECT_TRUE((d.noise * (1 - d.mask)).eq(0).all().item<bool>());
  const torch::Tensor inside = d.noise.masked_select(d.mask.expand_as(d.noise).gt(0));
  EXPECT_NEAR(inside.std().item<double>(), 2, 0.1);
  const double anomalous = d.mask.flatten(1).amax(1).mean().item<double>();
  EXPECT_GT(anomalous, 0.2);
  EXPECT_LT(anomalous, 0.7);
  EXPECT_TRUE(d.noise.equal(draw_defects(40, 3, 10, 12, torch::kFloat, options, 7).noise));
  options.clean_share = 1;
  const SyntheticDefects none = draw_defects(4, 3, 10, 12, torch::kFloat, options, 7);
  EXPECT_EQ(none.mask.sum().item<double>(), 0);
  // no anomalous cell: that part of the loss is 0, not NaN
  const auto losses =
      supersimplenet_losses(torch::zeros({4, 1, 10, 12}), torch::zeros({4}), none.mask, 0.5, 4);
  EXPECT_EQ(losses.anomalous.item<double>(), 0);
  EXPECT_NEAR(losses.total().item<double>(), 0.5 + 2 * std::log(2.0) / 16, 1e-6);
}

TEST(SuperSimpleNet, TheBaselineIsThePublishedRecipeAndTheOthersAreShort) {
  const auto passes = [](Recipe recipe) {
    const auto method = make_supersimplenet();
    const RecipeDefaults defaults = method->apply_recipe(recipe, backbone_spec("resnet18"));
    EXPECT_EQ(defaults.input.size, 256);
    EXPECT_FALSE(defaults.mild_augmentation);
    OptionTable table;
    method->describe(table);
    const nlohmann::json options = table.to_json()["supersimplenet"];
    EXPECT_EQ(options["noise_scale"], recipe == Recipe::kBaseline ? "absolute" : "relative");
    EXPECT_EQ(options["batch"] == 32, recipe == Recipe::kBaseline);
    return options["meta_epochs"].get<int>() * options["passes"].get<int>();
  };
  EXPECT_EQ(passes(Recipe::kBaseline), 300);
  EXPECT_LT(passes(Recipe::kRefined), 100);
}

TEST(SuperSimpleNet, StepSizesFallTwice) {
  for (const auto& [pass, share] :
       {std::pair(0, 1.0), {239, 1.0}, {240, 0.4}, {269, 0.4}, {270, 0.16}, {299, 0.16}})
    EXPECT_NEAR(learning_rate_share(pass, 300, 0.4), share, 1e-12) << pass;
}

TEST(SuperSimpleNet, ADamagedModelIsRefused) {
  const TensorDict good = SuperSimpleNetwork::initial(6, 5, 1).to_dict();
  EXPECT_EQ(SuperSimpleNetwork::from_dict(good, 6, "m").to_dict().size(), good.size());
  const auto refused = [&](const std::string& name, const HostTensor& value, const std::string& why) {
    TensorDict bad = good;
    bad[name] = value;
    try {
      SuperSimpleNetwork::from_dict(bad, 6, "m.glint");
      ADD_FAILURE() << why;
    } catch (const std::exception& e) {
      EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find("m.glint"), std::string::npos) << e.what();
    }
  };
  refused("discriminator.seg.1.running_var", from_floats({1, 1, -1, 1, 1}, {5}), "negative variance");
  refused("discriminator.fc_score.bias", from_floats({NAN}, {1}), "not finite");
  refused("discriminator.fc_score.bias", from_floats({1, 2}, {2}), "shape");
  refused("discriminator.seg.0.bias", from_floats({}, {0}), "empty");
}

}  // namespace
}  // namespace glint
