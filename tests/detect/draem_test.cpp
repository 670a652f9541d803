#include "glint/detect/draem/draem.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "glint/base/error.h"
#include "glint/detect/draem/losses.h"
#include "glint/detect/draem/network.h"
#include "glint/detect/ssim.h"
#include "glint/image/perlin_noise.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "golden_weights.h"
#include "reconstruction_training.h"
#include "tensor_compare.h"

namespace glint {
namespace {

class DraemGolden : public ::testing::Test {
 protected:
  torch::Tensor at(const std::string& name) const { return to_tensor(file_.tensors.at(name)); }
  DraemNetworks networks() const {
    TensorDict weights;
    for (const std::string net : {"reconstructive", "discriminative"}) {
      for (auto& [name, tensor] : formula_weights(file_, "weights." + net))
        weights[net + "." + name] = tensor;
    }
    return DraemNetworks::from_dict(weights, {8, 8}, "golden");
  }
  ScoreMap noise(const std::string& angles, int width, int height) const {
    const torch::Tensor angle = at(angles).contiguous();
    return perlin_noise({static_cast<int>(angle.size(0)) - 1,
                         static_cast<int>(angle.size(1)) - 1,
                         {angle.data_ptr<double>(), angle.data_ptr<double>() + angle.numel()}},
                        width, height);
  }
  SafetensorsFile file_ = golden("draem");
};

TEST_F(DraemGolden, PerlinNoiseAndMask) {
  for (const auto& [name, width, height] :
       {std::tuple("a", 16, 16), std::tuple("b", 16, 32), std::tuple("c", 8, 8)}) {
    expect_close(torch::tensor(noise(std::string("perlin.") + name + ".angle", width, height).values),
                 at(std::string("perlin.") + name + ".noise"), 1e-6, name);
  }
  // blend.augmented is the golden's own arithmetic in float; ours blends in 8 bits and is tested with
  // synth/textured_defect.
  const torch::Tensor mask = torch::tensor(noise("blend.angle", 64, 64).values).gt(0.5).to(torch::kFloat);
  EXPECT_TRUE(mask.equal(at("blend.mask")[0].flatten()));
}

TEST_F(DraemGolden, Judging) {
  const torch::NoGradGuard no_grad;
  const DraemNetworks::Output out = networks().run(at("blend.augmented"), false);
  expect_close(out.reconstruction, at("eval.reconstruction"), 2e-4);
  expect_close(out.logits, at("eval.logit"), 2e-4);
  const torch::Tensor defect = out.probability.select(1, 1);
  expect_close(defect, at("eval.probability"), 2e-4);
  expect_close(draem_averages(defect), at("eval.averaged"), 2e-4);
  expect_close(draem_image_scores(defect), at("eval.image_score"), 2e-4);
}

TEST_F(DraemGolden, Losses) {
  expect_close(draem_focal_loss(at("loss.probability"), at("loss.target")), at("loss.focal"), 1e-4);
  const torch::Tensor x = at("loss.image"), y = at("loss.reference");
  expect_close(ssim_map(x, y, {.border = SsimBorder::kZeros}), at("loss.ssim_map"), 1e-4);
  expect_close(ssim_loss(x, y, {.range = 2, .border = SsimBorder::kZeros}).mean(), at("loss.ssim_range2"),
               1e-4);
  const DraemLosses losses =
      draem_losses({x, {}, torch::full({2, 2, 64, 64}, 0.5)}, y, torch::zeros({2, 1, 64, 64}));
  expect_close(losses.squared_error, at("loss.mse"), 1e-4);
  expect_close(losses.dissimilarity, at("loss.ssim"), 1e-4);
}

// In double, as the golden's tolerance asks: float32 cannot follow forty batch norms.
TEST_F(DraemGolden, TwoStepsOfTraining) {
  DraemNetworks nets = networks();
  nets.to_double();
  nets.require_gradients(true);
  const torch::Tensor good = at("blend.image").to(torch::kDouble),
                      defective = at("blend.augmented").to(torch::kDouble),
                      mask = at("blend.mask").to(torch::kDouble);
  const std::vector<torch::Tensor> parameters = nets.parameters();
  const auto sampled = [&](const torch::Tensor& got, const std::string& name) {
    expect_close(got.flatten().index_select(0, at(name + ".sample_index")), at(name + ".sample_value"), 1e-6,
                 name);
  };
  std::vector<torch::Tensor> m, v;
  for (const torch::Tensor& p : parameters) {
    m.push_back(at::zeros_like(p).detach());
    v.push_back(at::zeros_like(p).detach());
  }
  for (std::int64_t step = 0; step < 3; ++step) {
    const DraemNetworks::Output out = nets.run(defective, true);
    const DraemLosses losses = draem_losses(out, good, mask);
    expect_close(at::stack({losses.squared_error, losses.dissimilarity, losses.focal, losses.total()}),
                 at("train.losses")[step], 1e-6, "losses " + std::to_string(step));
    if (step == 0) {
      sampled(out.reconstruction, "train.reconstruction");
      sampled(out.probability.select(1, 1), "train.probability");
    }
    losses.total().backward();
    if (step == 0) {
      for (const char* name :
           {"reconstructive.encoder.block1.0.weight", "reconstructive.decoder.fin_out.0.weight",
            "discriminative.encoder_segment.block1.0.weight", "discriminative.decoder_segment.db3.0.weight",
            "discriminative.decoder_segment.fin_out.0.weight"})
        sampled(nets.at(name).grad(), std::string("gradient.") + name);
    }
    const torch::NoGradGuard no_grad;
    for (std::size_t i = 0; i < parameters.size(); ++i) {  // Adam, in double
      const torch::Tensor g = parameters[i].grad();
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      const double n = static_cast<double>(step) + 1;
      torch::Tensor p = parameters[i];
      p.sub_(1e-4 * (m[i] / (1 - std::pow(0.9, n))) / ((v[i] / (1 - std::pow(0.999, n))).sqrt() + 1e-8));
      p.mutable_grad().reset();
    }
  }
}

TEST(Draem, AnySizeIsJudgedAndSizesOfThirtyTwoAreNotChanged) {
  const torch::NoGradGuard no_grad;
  const DraemNetworks nets = DraemNetworks::initial({2, 2}, 3);
  const torch::Tensor x = torch::linspace(0, 1, 3 * 40 * 70).reshape({1, 3, 40, 70});
  const DraemNetworks::Output out = nets.run(x, false);
  EXPECT_EQ(out.reconstruction.sizes(), x.sizes());
  EXPECT_EQ(out.probability.sizes(), at::IntArrayRef({1, 2, 40, 70}));
  const torch::Tensor padded = at::replication_pad2d(x, {0, 26, 0, 24});
  EXPECT_TRUE(nets.run(padded, false).logits.slice(2, 0, 40).slice(3, 0, 70).equal(out.logits));
}

TEST(Draem, PictureAndMaskTurnTogether) {
  DefectiveImage picture{RgbImage(32, 32), Mask(32, 32)};
  for (int y = 4; y < 10; ++y) {
    for (int x = 18; x < 28; ++x) {
      picture.mask.pixels[static_cast<std::size_t>(y) * 32 + x] = 1;
      picture.image.at(x, y)[1] = 200;
    }
  }
  const DefectiveImage turned = turned_defect(picture, 90);
  int defects = 0;
  for (std::size_t i = 0; i < turned.mask.pixels.size(); ++i) {
    EXPECT_EQ(turned.mask.pixels[i] == 1, turned.image.pixels[3 * i + 1] > 100) << i;
    defects += turned.mask.pixels[i];
  }
  EXPECT_EQ(defects, 60);
  EXPECT_NE(turned.mask.pixels, picture.mask.pixels);
}

TEST(Draem, TheBaselineIsThePublishedRecipeAndTheOthersAreShort) {
  EXPECT_EQ(passes_of("draem", Recipe::kBaseline), 700);
  EXPECT_LT(passes_of("draem", Recipe::kRefined), 50);
  const auto baseline = method_with("draem", {}, Recipe::kBaseline);
  // 69,048,579 + 28,374,146 parameters (docs/recipes.md), and two statistics for each scale of a batch norm
  const FitSize size = baseline->fit_size(backbone_spec(kNoBackbone), 320, 256);
  EXPECT_GT(size.weights / 4, 69'048'579 + 28'374'146);
  EXPECT_LT(size.weights / 4, (69'048'579 + 28'374'146) * 1.001);
}

TEST(Draem, ResumesBitForBitAndJudgesEachInputAlone) {
  ReconstructionTraining training("draem", {"draem.reconstructive_width=4", "draem.discriminative_width=4"},
                                  64);
  training.expect_resume();
  training.expect_judging(16, false);
  for (const char* tensor :
       {"reconstructive.encoder.block1.0.weight", "discriminative.encoder_segment.block6.4.running_var"})
    training.expect_damage_refused(tensor);
}

}  // namespace
}  // namespace glint
