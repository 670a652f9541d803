#include "glint/nn/adam.h"

#include <gtest/gtest.h>

#include "glint/base/error.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

TEST(AdamState, GoesOnFromWhatItSaved) {
  const auto gradient = [](int step) { return torch::full({3}, 0.5 * step - 1, torch::kFloat); };
  std::vector<torch::Tensor> whole = {torch::arange(3, torch::kFloat)}, half = {whole[0].clone()};
  AdamState first = AdamState::of(whole), kept = AdamState::of(half);
  for (int step = 0; step < 4; ++step) adam_step(first, {0.1}, whole, {gradient(step)});
  for (int step = 0; step < 2; ++step) adam_step(kept, {0.1}, half, {gradient(step)});
  TensorDict tensors;
  kept.save(tensors, "adam.");
  AdamState resumed = AdamState::of(half);
  resumed.load(tensors, "adam.", "file");
  for (int step = 2; step < 4; ++step) adam_step(resumed, {0.1}, half, {gradient(step)});
  EXPECT_TRUE(torch::equal(whole[0], half[0]));
  EXPECT_EQ(resumed.step, 4);
}

TEST(AdamState, RefusesWhatIsNoState) {
  const std::vector<torch::Tensor> parameters = {torch::zeros({3})};
  TensorDict good;
  AdamState::of(parameters).save(good, "adam.");
  const auto refused = [&](const std::string& name, const torch::Tensor& instead) {
    TensorDict damaged = good;
    damaged[name] = to_host(instead);
    AdamState state = AdamState::of(parameters);
    try {
      state.load(damaged, "adam.", "the file");
    } catch (const Error& e) {
      return std::string(e.what()).find("the file") != std::string::npos;
    }
    return false;
  };
  EXPECT_TRUE(refused("adam.m0", torch::zeros({2})));
  EXPECT_TRUE(refused("adam.v0", torch::zeros({3, 1})));
  EXPECT_TRUE(refused("adam.step", torch::tensor({-1}, torch::kLong)));
  EXPECT_TRUE(refused("adam.step", torch::tensor({1, 2}, torch::kLong)));
  EXPECT_FALSE(refused("adam.step", torch::tensor({1}, torch::kLong)));
}

}  // namespace
}  // namespace glint
