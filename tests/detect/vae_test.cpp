#include "glint/detect/vae/vae.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "glint/detect/training_loop.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "reconstruction_training.h"
#include "tensor_compare.h"

namespace glint {
namespace {

TEST(VaeGolden, SamplingLossesGradientsAndMap) {
  const SafetensorsFile file = golden("vae");
  const auto at = [&](const std::string& name) {
    return to_tensor(file.tensors.at(name)).to(torch::kDouble);
  };
  const auto leaf = [&](const std::string& name) { return at(name).requires_grad_(true); };
  const torch::Tensor mu = leaf("mu"), log_variance = leaf("log_variance"), y = leaf("reconstruction");
  const torch::Tensor z = vae_sample(mu, log_variance, at("epsilon")), x = at("image");
  expect_close(z, at("z"), 1e-6);
  const torch::Tensor divergence = vae_divergence(mu, log_variance);
  expect_close(divergence, at("kl"), 1e-6);
  const torch::Tensor squares = vae_reconstruction(x, y, ReconstructionLoss::kL2);
  expect_close(squares, at("reconstruction_sum"), 1e-6);
  const torch::Tensor loss = (squares + divergence).mean();
  expect_close(loss, at("loss"), 1e-6);
  expect_close((squares + 4 * divergence).mean(), at("loss_beta4"), 1e-6);
  expect_close((vae_reconstruction(x, y, ReconstructionLoss::kSsim) + divergence).mean(), at("loss_ssim"),
               1e-6);
  (loss + (at("probe") * z).sum()).backward();
  expect_close(mu.grad(), at("gradient_mu"), 1e-6);
  expect_close(log_variance.grad(), at("gradient_log_variance"), 1e-6);
  expect_close(y.grad(), at("gradient_reconstruction"), 1e-6);
  const torch::Tensor map = absolute_error(x, y);
  expect_close(map, at("map"), 1e-6);
  // As the image score top_mean with a share of 0.01 takes it.
  const auto largest = static_cast<std::int64_t>(std::ceil(0.01 * 24 * 24));
  expect_close(std::get<0>(map.flatten(1).topk(largest, 1)).mean(1), at("score_top1percent"), 1e-6);
}

TEST(Vae, LearnsResumesAndJudges) {
  ReconstructionTraining training("vae", {"vae.latent=8", "vae.learning_rate=0.001"}, 128);
  training.expect_resume();
  EXPECT_LT(training.reading(2, kLoss), training.reading(0, kLoss));
  training.expect_judging();
  training.expect_damage_refused("mu.bias");
}

TEST(Vae, RefusesWhatItCannotTake) {
  EXPECT_NE(refusal_of("vae", {"vae.window=100"}, 256).find("128, 256 or 512"), std::string::npos);
  EXPECT_EQ(refusal_of("vae", {"vae.window=256"}, 280), "");
}

}  // namespace
}  // namespace glint
