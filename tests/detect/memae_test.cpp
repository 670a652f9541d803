#include "glint/detect/memae/memae.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "glint/nn/tensors.h"
#include "golden.h"
#include "golden_weights.h"
#include "reconstruction_training.h"
#include "tensor_compare.h"

namespace glint {
namespace {

class MemaeGolden : public ::testing::Test {
 protected:
  torch::Tensor at(const std::string& name) const { return to_tensor(file_.tensors.at(name)); }
  SafetensorsFile file_ = golden("memae");
};

TEST_F(MemaeGolden, MemoryAndItsEntropy) {
  for (const auto& [kind, threshold] :
       {std::pair<std::string, double>("shrink", 0.03), {"none", 0}, {"small", 0.0025}}) {
    const std::string prefix = "module." + kind + ".";
    const torch::Tensor x = at("module.input").to(torch::kDouble).requires_grad_(true);
    const torch::Tensor memory = at("module.memory").to(torch::kDouble).requires_grad_(true);
    const MemoryReading out = read_memory(x, memory, threshold);
    expect_close(out.features, at(prefix + "output"), 1e-4, kind);
    expect_close(out.attention, at(prefix + "attention"), 1e-4, kind);
    const torch::Tensor entropy = memory_entropy(out.attention);
    expect_close(entropy, at(prefix + "entropy"), 1e-6, kind);
    const torch::Tensor loss = (out.features - at("module.target")).square().mean() + 2e-4 * entropy;
    expect_close(loss, at(prefix + "loss"), 1e-6, kind);
    loss.backward();
    expect_close(x.grad(), at(prefix + "gradient_input"), 1e-4, kind);
    expect_close(memory.grad(), at(prefix + "gradient_memory"), 1e-4, kind);
  }
}

TEST_F(MemaeGolden, NetworkAndThreeSteps) {
  const std::vector<int> channels = {3, 4, 6, 8, 8};
  MemaeOptions options;
  options.threshold = 1.0 / 60;
  MemaeReconstructor net(options, channels,
                         TrainableNet::from_dict(MemaeReconstructor::layout(channels, 60),
                                                 formula_weights(file_, "weights.net"), "golden"));
  const torch::Tensor x = at("net.image");
  {
    const torch::NoGradGuard no_grad;
    const MemaeReconstructor::Output out = net.run(x, false);
    expect_close(out.features, at("net.features"), 1e-4);
    expect_close(out.retrieved, at("net.retrieved"), 1e-4);
    expect_close(out.attention, at("net.attention"), 1e-4);
    expect_close(out.image, at("net.reconstruction"), 1e-4);
    const torch::Tensor map = net.error(x, net.reconstruct(x).image);
    expect_close(map, at("net.map"), 1e-4);
    expect_close(map.flatten(1).mean(1), at("net.score"), 1e-4);
    // An input of no whole cells is judged at its own size, and its first rows as those of a whole one.
    EXPECT_EQ(net.reconstruct(x.slice(2, 0, 27).slice(3, 0, 20)).image.sizes(),
              (std::vector<std::int64_t>{2, 3, 27, 20}));
  }
  net.begin_training();
  for (int i = 0; i < 3; ++i) {
    const Readings got = net.step(x, {}, 0);
    const torch::Tensor want = at("net.losses")[i];
    expect_close(torch::tensor({got.at("reconstruction_loss"), got.at("entropy"), got.at(kLoss)}), want, 1e-3,
                 "step " + std::to_string(i));
  }
}

TEST(Memae, ResumesAndJudges) {
  ReconstructionTraining training("memae", {"memae.slots=50", "memae.threshold=0.02"}, 32);
  training.expect_resume();
  training.expect_judging();
  training.expect_damage_refused("mem_rep.memory.weight");
  training.expect_damage_refused("encoder.1.running_var");
}

TEST(Memae, HasThePublishedLength) {
  for (const Recipe recipe : {Recipe::kBaseline, Recipe::kRefined})
    EXPECT_EQ(passes_of("memae", recipe), 100);
}

}  // namespace
}  // namespace glint
