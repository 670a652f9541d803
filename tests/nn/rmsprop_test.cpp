#include "glint/nn/rmsprop.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/error.h"

namespace glint {
namespace {

TEST(RmsProp, StepsAsTensorFlowDoesAndResumes) {
  const torch::Tensor p = torch::tensor({1.0F, -2.0F});
  const RmsPropOptions options{.learning_rate = 0.1, .decay = 0.9, .eps = 0.01};
  RmsPropState state = RmsPropState::of({p});
  double square = 1, value = 1;  // of the first entry
  for (const double g : {0.5, -2.0, 0.0}) {
    rmsprop_step(state, options, {p}, {torch::tensor({static_cast<float>(g), 0.0F})});
    square = 0.9 * square + 0.1 * g * g;
    value -= 0.1 * g / std::sqrt(square + 0.01);
    EXPECT_NEAR(p[0].item<double>(), value, 1e-6);
    EXPECT_EQ(p[1].item<double>(), -2);
  }
  TensorDict saved;
  state.save(saved, "adam.x.");
  RmsPropState again = RmsPropState::of({p});
  again.load(saved, "adam.x.", "state");
  EXPECT_TRUE(again.square[0].equal(state.square[0]));
  saved.clear();
  EXPECT_THROW(again.load(saved, "adam.x.", "state"), Error);
}

}  // namespace
}  // namespace glint
