#include "glint/detect/coupling_block.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "glint/nn/tensors.h"
#include "golden.h"
#include "tensor_compare.h"

namespace glint {
namespace {

constexpr ClampForm kForms[] = {ClampForm::kPlain, ClampForm::kDivided};

std::string form_name(ClampForm form) {
  return form == ClampForm::kPlain ? "plain" : "divided";
}

class CouplingGolden : public ::testing::Test {
 protected:
  torch::Tensor at(const std::string& name) const { return to_tensor(file_.tensors.at(name)); }

  /// The block called coupling.<name>, its order of channels as this program keeps it.
  void expect_published(const std::string& name, CouplingShape shape, const torch::Tensor& condition = {}) {
    TensorDict tensors = take_prefixed(file_.tensors, "coupling.");
    for (auto& [key, tensor] : tensors) {
      if (key.ends_with(".permutation")) tensor = to_host(to_tensor(tensor).to(torch::kFloat));
    }
    for (const ClampForm form : kForms) {
      shape.form = form;
      NetLayout layout;
      add_coupling_block(layout, name, shape);
      const TrainableNet net = TrainableNet::from_dict(layout, tensors, "golden");
      check_coupling_block(net, name, shape, "golden");
      const FlowOutput out = couple(net, name, shape, at("coupling." + name + ".input"), condition);
      const std::string want = "coupling." + name + "." + form_name(form);
      expect_close(out.z, at(want + ".output"), 1e-4, want);
      expect_close(out.log_det, at(want + ".log_det"), 1e-4, want);
    }
  }
  SafetensorsFile file_ = golden("fastflow");
};

TEST_F(CouplingGolden, MapsAndAPermutation) {
  expect_published("hard", {.channels = 7, .kernel = 3, .hidden = 4, .clamp = 2});
}

TEST_F(CouplingGolden, VectorsAConditionAndARotation) {
  expect_published(
      "soft", {.channels = 6, .condition = 8, .hidden = 22, .mixing = ChannelMixing::kRotation, .clamp = 1.9},
      at("coupling.soft.condition"));
}

/// x = (1, 2, 3), subnet output (4, 5), scale 1: method_facts.md section 26, computed in float64.
TEST(CouplingBlock, NumbersByHand) {
  struct Case {
    double clamp;
    ClampForm form;
    double log_scale, changed;
  };
  for (const Case& c :
       {Case{2, ClampForm::kPlain, 0.7598979245104498, 6.914173898132667},
        Case{1.9, ClampForm::kPlain, 0.7219030282849273, 3 * std::exp(0.7219030282849273) + 0.5},
        Case{2, ClampForm::kDivided, 0.394750640449808, 4.95204227507768},
        Case{1.9, ClampForm::kDivided, 0.394193410013227, 3 * std::exp(0.394193410013227) + 0.5}}) {
    const CouplingShape shape{.channels = 3, .hidden = 1, .clamp = c.clamp, .form = c.form};
    NetLayout layout;
    add_coupling_block(layout, "b", shape);
    TrainableNet net = TrainableNet::initial(layout, InitialWeights::kTorch, 1, "test");
    Rng rng(1, "test");
    start_coupling_block(net, "b", shape, rng);
    EXPECT_NEAR(net.at("b.gamma")[0].item<double>(), 9.986478501101022, 1e-6);
    net.at("b.fc2.weight").zero_();
    net.at("b.fc2.bias").copy_(torch::tensor({4.0F, 5.0F}));
    net.at("b.permutation").copy_(torch::tensor({2.0F, 0.0F, 1.0F}));
    const FlowOutput out = couple(net, "b", shape, torch::tensor({{1.0F, 2.0F, 3.0F}}));
    expect_close(out.z, torch::tensor({{c.changed, 1.0, 2.0}}, torch::kDouble), 1e-6);
    EXPECT_NEAR(out.log_det.item<double>(), c.log_scale, 1e-5);
  }
}

TEST(CouplingBlock, MixingsAreDrawnBySeedAndChecked) {
  const CouplingShape turned{.channels = 5, .hidden = 3, .mixing = ChannelMixing::kRotation};
  const CouplingShape ordered{.channels = 40, .hidden = 3};
  NetLayout layout;
  const CouplingFlow turns("turn", {turned, turned}), orders("order", {ordered, ordered});
  turns.add_to(layout);
  orders.add_to(layout);
  const auto started = [&](std::uint64_t seed) {
    TrainableNet net = TrainableNet::initial(layout, InitialWeights::kTorch, seed, "test");
    Rng rng(seed, "test.mixing");
    turns.start(net, rng);
    orders.start(net, rng);
    turns.check(net, "m");
    orders.check(net, "m");
    return net;
  };
  const TrainableNet net = started(4);
  const torch::Tensor r = net.at("turn.block1.rotation").to(torch::kDouble);
  EXPECT_LT((at::mm(r, r.t()) - at::eye(5, torch::kDouble)).abs().max().item<double>(), 1e-6);
  EXPECT_NEAR(at::linalg_det(r).item<double>(), 1, 1e-6);
  EXPECT_FALSE(net.at("order.block0.permutation").equal(net.at("order.block1.permutation")));
  EXPECT_TRUE(net.at("order.block0.permutation").equal(started(4).at("order.block0.permutation")));
  EXPECT_FALSE(net.at("order.block0.permutation").equal(started(5).at("order.block0.permutation")));
  for (const torch::Tensor& p : net.parameters()) EXPECT_NE(p.numel(), 25) << "a rotation would be trained";

  const auto refused = [&](const std::string& name, const torch::Tensor& value, const std::string& why) {
    TensorDict bad = net.to_dict();
    bad[name] = to_host(value);
    try {
      const TrainableNet loaded = TrainableNet::from_dict(layout, bad, "m.glint");
      turns.check(loaded, "m.glint");
      orders.check(loaded, "m.glint");
      ADD_FAILURE() << why;
    } catch (const std::exception& e) {
      EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find(name), std::string::npos) << e.what();
    }
  };
  refused("order.block1.permutation", torch::zeros({40}), "no order of all channels");
  refused("order.block1.permutation", at::arange(40).to(torch::kFloat) + 0.5, "no order of all channels");
  refused("order.block1.permutation", at::arange(1, 41).to(torch::kFloat), "no order of all channels");
  refused("turn.block0.rotation", 2 * at::eye(5), "no rotation");
  refused("turn.block0.rotation", torch::full({5, 5}, NAN), "not finite");
  refused("turn.block0.fc1.weight", torch::zeros({3, 4}), "shape");
}

}  // namespace
}  // namespace glint
