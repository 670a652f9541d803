#include "glint/detect/autoencoder/autoencoder.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/error.h"
#include "glint/detect/reconstruction/windows.h"
#include "glint/detect/ssim.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "golden_weights.h"
#include "reconstruction_training.h"
#include "tensor_compare.h"

namespace glint {
namespace {

class AutoencoderGolden : public ::testing::Test {
 protected:
  torch::Tensor at(const std::string& name) const { return to_tensor(file_.tensors.at(name)); }
  SafetensorsFile file_ = golden("ae_ssim");
};

TEST_F(AutoencoderGolden, Ssim) {
  for (const std::string kind : {"colour.", "grey."}) {
    const torch::Tensor x = at(kind + "image").to(torch::kDouble);
    const torch::Tensor y = at(kind + "reconstruction").to(torch::kDouble).requires_grad_(true);
    expect_close(ssim_map(y, x), at(kind + "ssim_map"), 1e-6, kind);
    expect_close(ssim_map(y, x, {.border = SsimBorder::kMirrored}), at(kind + "ssim_map_reflect"), 1e-6,
                 kind);
    const torch::Tensor each = ssim_loss(y, x), loss = each.mean();
    expect_close(each, at(kind + "loss_per_image"), 1e-6, kind);
    expect_close(loss, at(kind + "loss"), 1e-6, kind);
    loss.backward();
    expect_close(y.grad(), at(kind + "gradient"), 1e-6, kind);
    // The type that trainings use.
    expect_close(ssim_map(y.to(torch::kFloat), x.to(torch::kFloat)), at(kind + "ssim_map"), 1e-4, kind);
  }
}

TEST(Ssim, OfConstantsAndBeyondTheBorder) {
  const torch::Tensor a = torch::full({1, 2, 16, 12}, 0.5, torch::kDouble), b = a + 0.1;
  expect_close(ssim_map(a, b), torch::full({1, 2, 6, 2}, 0.9836092443861661, torch::kDouble), 1e-9);
  expect_close(ssim_loss(a, b, {.border = SsimBorder::kMirrored}),
               torch::full({1}, 1 - 0.9836092443861661, torch::kDouble), 1e-9);
  // with another range the same pictures, scaled, are as similar
  expect_close(ssim_map(a * 255, b * 255, {.range = 255}), ssim_map(a, b), 1e-9);
  // zeros beyond the border are equal in both, and the corner sees most of them
  const torch::Tensor zeros = ssim_map(a, b, {.border = SsimBorder::kZeros});
  EXPECT_EQ(zeros.size(2), 16);
  expect_close(zeros.slice(2, 5, 11).slice(3, 5, 7), ssim_map(a, b), 1e-9);
}

TEST_F(AutoencoderGolden, Network) {
  TensorDict weights;
  for (const std::string part : {"encoder", "decoder"}) {
    for (auto& [name, tensor] : formula_weights(file_, "weights." + part))
      weights[part + "." + name] = tensor;
  }
  const AutoencoderNetwork net = AutoencoderNetwork::from_dict(weights, 128, 100, "golden");
  EXPECT_EQ(AutoencoderNetwork::bytes(128, 100), 4 * (525348 + 525251));
  EXPECT_EQ(AutoencoderNetwork::bytes(256, 500), 4 * (1361364 + 1360867));
  // The images' formula is in the file's `keys` and the backbones' `input`.
  const torch::NoGradGuard no_grad;
  const torch::Tensor j = at::arange(3 * 128 * 128, torch::kDouble);
  const torch::Tensor wave =
      j * 0.013 + (j * 0.0007).cos() * 0.5 + 0.4 * std::stod(file_.metadata.at("seed"));
  const torch::Tensor x =
      (at::stack({wave, wave + 1}).sin() * 0.5 + 0.5).to(torch::kFloat).reshape({2, 3, 128, 128});
  const torch::Tensor code = net.encode(x);
  expect_close(code, at("net.code"), 1e-4);
  const torch::Tensor y = net.decode(code);
  EXPECT_TRUE(at("net.reconstruction.shape").equal(torch::tensor({2, 3, 128, 128}, torch::kLong)));
  expect_close(y.flatten().index_select(0, at("net.reconstruction.sample_index")),
               at("net.reconstruction.sample_value"), 1e-4);
  expect_close(at::stack({y.to(torch::kDouble).mean(), y.to(torch::kDouble).std(false)}),
               at("net.reconstruction.mean_std"), 1e-4);
  expect_close(ssim_loss(y, x).mean(), at("net.loss"), 1e-4);
}

TEST(Autoencoder, TheMapShowsWhatTheLossSees) {
  const torch::Tensor x = torch::rand({2, 3, 20, 24}), y = torch::rand({2, 3, 20, 24});
  expect_close(error_map(x, y, ReconstructionLoss::kL2), (x - y).square().mean(1), 1e-6);
  const torch::Tensor map = error_map(x, y, ReconstructionLoss::kSsim);
  EXPECT_EQ(map.sizes(), (std::vector<std::int64_t>{2, 20, 24}));
  expect_close(map.slice(1, 5, 15).slice(2, 5, 19), 1 - ssim_map(x, y).mean(1), 1e-5);
  EXPECT_LT(error_map(x, x, ReconstructionLoss::kSsim).abs().max().item<float>(), 1e-5);
}

TEST(Windows, CoverALargerInput) {
  EXPECT_EQ(window_starts(128, 128, 32), (std::vector<std::int64_t>{0}));
  EXPECT_EQ(window_starts(200, 128, 32), (std::vector<std::int64_t>{0, 32, 64, 72}));
  EXPECT_EQ(window_starts(192, 128, 64), (std::vector<std::int64_t>{0, 64}));
  // Windows that give back themselves give back the picture; the score is the worst window's.
  const torch::Tensor x = torch::rand({2, 3, 40, 50});
  const auto itself = [](const torch::Tensor& w) { return Reconstruction{w, w.flatten(1).amax(1)}; };
  const Reconstruction out = reconstruct_by_windows(x, 32, 7, itself);
  expect_close(out.image, x, 1e-5);
  EXPECT_TRUE(out.score.equal(x.flatten(1).amax(1)));
  EXPECT_TRUE(reconstruct_by_windows(x, 0, 7, itself).image.equal(x));
  // A drawn window is a part of its picture, and another seed draws another.
  const torch::Tensor drawn = random_windows(x, 32, {1, 2}), again = random_windows(x, 32, {3, 2});
  EXPECT_EQ(drawn.sizes(), (std::vector<std::int64_t>{2, 3, 32, 32}));
  EXPECT_TRUE(drawn[1].equal(again[1]));
  EXPECT_FALSE(drawn[0].equal(again[0]));
}

TEST(Autoencoder, LearnsResumesAndJudges) {
  const std::vector<std::string> settings = {"autoencoder.latent=8", "autoencoder.learning_rate=0.002"};
  ReconstructionTraining ssim("autoencoder", settings, 128);
  ssim.expect_resume(2);
  EXPECT_LT(ssim.reading(2, kLoss), ssim.reading(0, kLoss));
  EXPECT_LT(ssim.reading(2, "held_out_error"), ssim.reading(0, "held_out_error"));
  ReconstructionTraining l2("autoencoder", {settings[0], settings[1], "autoencoder.loss=l2"}, 128);
  l2.expect_resume(2);
  EXPECT_LT(l2.reading(2, kLoss), l2.reading(0, kLoss));
  l2.expect_judging();
  l2.expect_damage_refused("decoder.0.bias");
}

TEST(Autoencoder, TheBaselineIsThePublishedLength) {
  EXPECT_NEAR(passes_of("autoencoder", Recipe::kBaseline), 200.0 * 10000 / 320, 40);
  EXPECT_LT(passes_of("autoencoder", Recipe::kRefined), 1000);
}

TEST(Autoencoder, RefusesWhatItCannotTake) {
  EXPECT_NE(refusal_of("autoencoder", {"autoencoder.window=100"}, 256).find("128, 256 or 512"),
            std::string::npos);
  EXPECT_NE(refusal_of("autoencoder", {}, 96).find("input.size"), std::string::npos);
  EXPECT_EQ(refusal_of("autoencoder", {}, 280), "");
}

}  // namespace
}  // namespace glint
