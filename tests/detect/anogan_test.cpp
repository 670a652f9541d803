// AnoGAN has no golden: what is fixed here is the search (what it lowers, that it finds a code that is there,
// that it is the same each time) and, as for every method, training and load.
#include "glint/detect/anogan/anogan.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "glint/base/random.h"
#include "glint/detect/seeded_tensors.h"
#include "reconstruction_training.h"
#include "tensor_compare.h"

namespace glint {
namespace {

AnoganReconstructor small_anogan(AnoganOptions options) {
  options.latent = 3;
  options.width = 4;
  options.shared.window = 16;
  return {options,
          TrainableNet::initial(AnoganReconstructor::generator_layout(options), InitialWeights::kXavierNormal,
                                1, "g"),
          TrainableNet::initial(AnoganReconstructor::discriminator_layout(options),
                                InitialWeights::kXavierNormal, 1, "d")};
}

TEST(Anogan, SearchLowersWhatIsPublished) {
  AnoganOptions options;
  options.feature_share = 0.25;
  const AnoganReconstructor net = small_anogan(options);
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = torch::rand({2, 3, 16, 16}), y = torch::rand({2, 3, 16, 16});
  const torch::Tensor fx = net.discriminate(x, false).features, fy = net.discriminate(y, false).features;
  EXPECT_EQ(fx.sizes(), (std::vector<std::int64_t>{2, 32}));
  for (std::int64_t i = 0; i < 2; ++i) {
    const torch::Tensor want = 0.75 * (x[i] - y[i]).abs().sum() + 0.25 * (fx[i] - fy[i]).abs().sum();
    expect_close(net.search_loss(x, fx, y)[i], want, 1e-5);
  }
}

TEST(Anogan, SearchFindsACodeThatIsThere) {
  AnoganOptions options;
  options.search_steps = 60;
  options.search_learning_rate = 0.05;
  const AnoganReconstructor net = small_anogan(options);
  Rng rng(4);
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = net.generate(uniform_tensor({2, 3}, 1, rng), false);
  const Reconstruction out = net.reconstruct(x);
  // Far nearer than where the search began.
  options.search_steps = 1;
  const Reconstruction start = small_anogan(options).reconstruct(x);
  EXPECT_TRUE((out.score < 0.3 * start.score).all().item<bool>()) << out.score << start.score;
  // Again, and alone: the same.
  EXPECT_TRUE(net.reconstruct(x).score.equal(out.score));
  expect_close(net.reconstruct(x.slice(0, 1, 2)).score, out.score.slice(0, 1, 2), 1e-3);
  // More starts are never worse.
  options.search_steps = 5;
  const Reconstruction one = small_anogan(options).reconstruct(x);
  options.restarts = 3;
  EXPECT_TRUE((small_anogan(options).reconstruct(x).score <= one.score).all().item<bool>());
}

TEST(Anogan, ResumesAndJudges) {
  ReconstructionTraining training(
      "anogan", {"anogan.width=2", "anogan.latent=4", "anogan.window=32", "anogan.search_steps=3"}, 32);
  training.expect_resume();
  training.expect_judging();
  training.expect_damage_refused("discriminator.down2.norm.running_var");
  training.expect_damage_refused("generator.input.weight");
}

TEST(Anogan, RefusesWhatItCannotTake) {
  EXPECT_NE(refusal_of("anogan", {"anogan.window=50"}, 64).find("multiple of 16"), std::string::npos);
}

}  // namespace
}  // namespace glint
