#include "glint/detect/cutpaste/cutpaste.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "glint/detect/cutpaste/embedding_density.h"
#include "glint/detect/cutpaste/network.h"
#include "glint/detect/cutpaste/pasting.h"
#include "glint/detect/cutpaste/patches.h"
#include "glint/detect/ledoit_wolf.h"
#include "glint/image/resample.h"
#include "glint/nn/learning_rate.h"
#include "glint/nn/sgd.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "golden_weights.h"
#include "reconstruction_training.h"
#include "tensor_compare.h"

namespace glint {
namespace {

class CutPasteGolden : public ::testing::Test {
 protected:
  torch::Tensor at(const std::string& name) const { return to_tensor(file_.tensors.at(name)); }
  int whole(const std::string& name, int i) const {
    return static_cast<int>(at(name)[i].item<std::int64_t>());
  }
  RgbImage picture(const std::string& name) const {
    const HostTensor& t = file_.tensors.at(name);
    RgbImage out(static_cast<int>(t.shape[1]), static_cast<int>(t.shape[0]));
    std::memcpy(out.pixels.data(), t.data.data(), out.pixels.size());
    return out;
  }
  RgbImage patch_of(const std::string& what) const {
    return crop(picture("paste.image"), whole(what + ".source_xy", 0), whole(what + ".source_xy", 1),
                whole(what + ".patch_wh", 0), whole(what + ".patch_wh", 1));
  }
  SafetensorsFile file_ = golden("cutpaste");
};

TEST_F(CutPasteGolden, GaussianDensity) {
  const torch::Tensor train = at("density.train"), test = at("density.test");
  const auto density = EmbeddingDensity::fit(CutPasteDensity::kGaussian, 1, train);
  expect_close(density.mean(), at("density.mean"), 1e-8);
  expect_close(density.covariance(), at("density.covariance"), 1e-8);
  expect_close(ledoit_wolf(unit_rows(train).unsqueeze(0)).shrinkage, at("density.shrinkage"), 1e-8);
  expect_close(density.scores(test), at("density.score"), 1e-8);
}

TEST_F(CutPasteGolden, KernelDensity) {
  const auto density = EmbeddingDensity::fit(CutPasteDensity::kKernel, 1, at("density.train"));
  expect_close(density.scores(at("density.test")), at("density.kde_score"), 1e-8);
}

TEST_F(CutPasteGolden, FourStepsOfTheHead) {
  const CutPasteHead head{16, {16, 8}};
  TrainableNet net =
      TrainableNet::from_dict(cutpaste_head_layout(head), formula_weights(file_, "weights.head"), "golden");
  const torch::Tensor features = at("head.features"), label = at("head.label");
  expect_close(run_cutpaste_head(net, head, features, false), at("head.eval_logits"), 1e-4);
  net.require_gradients(true);
  const std::vector<torch::Tensor> parameters = net.parameters();
  SgdState sgd = SgdState::of(parameters);
  for (std::int64_t step = 0; step <= 4; ++step) {
    const torch::Tensor loss = at::cross_entropy_loss(run_cutpaste_head(net, head, features, true), label);
    expect_close(loss, at("head.losses")[step], 1e-4, "loss " + std::to_string(step));
    if (step == 4) break;
    loss.backward();
    const double rate = warm_cosine(step, 4, 0, 0.03, 0);
    EXPECT_NEAR(rate, at("head.learning_rate")[step].item<double>(), 1e-12);
    sgd_step(sgd, {rate, 0.9, 3e-5}, parameters, take_gradients(parameters));
  }
}

TEST_F(CutPasteGolden, Geometry) {
  for (std::int64_t i = 0; i < at("geometry.patch_wh").size(0); ++i) {
    const torch::Tensor image = at("geometry.image_wh")[i], patch = at("geometry.patch_wh")[i];
    const ImageSize size =
        cut_size({image[0].item<int>(), image[1].item<int>()}, at("geometry.area_ratio")[i].item<double>(),
                 at("geometry.aspect")[i].item<double>());
    EXPECT_EQ(size.width, patch[0].item<int>()) << i;
    EXPECT_EQ(size.height, patch[1].item<int>()) << i;
  }
}

TEST_F(CutPasteGolden, PasteAndScar) {
  EXPECT_EQ(paste_patch(picture("paste.image"), patch_of("paste"), {}, whole("paste.target_xy", 0),
                        whole("paste.target_xy", 1))
                .pixels,
            picture("paste.result").pixels);
  const TurnedPatch scar = turn_patch(patch_of("scar"), at("scar.angle").item<double>());
  const torch::Tensor mask = at("scar.mask");
  ASSERT_EQ(scar.mask.height, mask.size(0));
  ASSERT_EQ(scar.mask.width, mask.size(1));
  EXPECT_TRUE(torch::tensor(scar.mask.pixels).mul(255).equal(mask.flatten()));
  EXPECT_EQ(paste_patch(picture("paste.image"), scar.image, scar.mask, whole("scar.target_xy", 0),
                        whole("scar.target_xy", 1))
                .pixels,
            picture("scar.result").pixels);
}

TEST(CutPaste, GradientsOfTheScoresAreRight) {
  Rng rng(1);
  for (const CutPasteDensity kind : {CutPasteDensity::kGaussian, CutPasteDensity::kKernel}) {
    std::vector<double> values(60);
    for (double& v : values) v = rng.normal() + 0.5;
    const auto density =
        EmbeddingDensity::fit(kind, 0.7, torch::tensor(values, torch::kDouble).reshape({12, 5}));
    const torch::Tensor x = torch::tensor({0.3, -1.2, 2.0, 0.4, 0.9}, torch::kDouble).unsqueeze(0);
    const torch::Tensor got = density.gradients(x);
    for (std::int64_t i = 0; i < 5; ++i) {
      const double step = 1e-6;
      torch::Tensor up = x.clone(), down = x.clone();
      up[0][i] += step;
      down[0][i] -= step;
      const double want = (density.scores(up) - density.scores(down)).item<double>() / (2 * step);
      EXPECT_NEAR(got[0][i].item<double>(), want, 1e-6 * std::max(1.0, std::abs(want)));
    }
  }
}

TEST(CutPaste, DefectsOfAPictureThatHasOneColourAreNearlyInvisible) {
  // The patch is the picture's own: only its colours change, by a tenth.
  RgbImage good(64, 48);
  for (std::size_t i = 0; i < good.pixels.size(); ++i) good.pixels[i] = i % 3 == 0 ? 150 : 100;
  int changed = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed), again(seed);
    const RgbImage cut = seed % 2 == 0 ? paste_cut(good, rng) : paste_scar(good, rng);
    EXPECT_EQ(cut.pixels, (seed % 2 == 0 ? paste_cut(good, again) : paste_scar(good, again)).pixels);
    for (std::size_t i = 0; i < cut.pixels.size(); ++i) {
      EXPECT_NEAR(cut.pixels[i], good.pixels[i], 60);
      changed += cut.pixels[i] != good.pixels[i] ? 1 : 0;
    }
  }
  EXPECT_GT(changed, 0);
}

TEST(CutPaste, ColoursChangeWithinTheirBounds) {
  RgbImage image(2, 1);
  image.pixels = {200, 100, 50, 20, 60, 90};
  bool other = false;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Rng rng(seed), still(seed);
    EXPECT_EQ(jitter_colours(image, 0, still).pixels, image.pixels);
    other |= jitter_colours(image, 0.1, rng).pixels != image.pixels;
  }
  EXPECT_TRUE(other);
}

TEST(CutPaste, PatchesCoverThePictureAndTheirScoresLieAtTheirCentres) {
  EXPECT_EQ(patch_starts(64, 64, 16), std::vector<std::int64_t>({0}));
  EXPECT_EQ(patch_starts(100, 64, 16), std::vector<std::int64_t>({0, 16, 32, 36}));
  // A patch's score = its centre's x: the map is the cells' centres where patches have centres.
  const torch::Tensor x = torch::arange(128, torch::kFloat).add(0.5).expand({3, 96, 128});
  const torch::Tensor scores = for_patches(x, 32, 16, [](const torch::Tensor& p) {
    return p.mean({1, 2, 3}).to(torch::kDouble);
  });
  EXPECT_EQ(scores.sizes(), at::IntArrayRef({5, 7}));
  const ScoreMap map = map_of_patches(scores, 96, 128, 32, 16);
  ASSERT_EQ(map.width, 8);
  ASSERT_EQ(map.height, 6);
  for (int cell = 0; cell < 8; ++cell)
    EXPECT_NEAR(map.at(cell, 3), std::clamp(16.0 * cell + 8, 16.0, 112.0), 1e-4) << cell;
}

TEST(CutPaste, TheBaselineIsThePublishedRecipeAndTheOthersAreShort) {
  EXPECT_EQ(passes_of("cutpaste", Recipe::kBaseline), 1000);  // 10,000 steps of 32 over 320 pictures
  EXPECT_LT(passes_of("cutpaste", Recipe::kRefined), 100);
  EXPECT_NE(refusal_of("cutpaste", {"cutpaste.layers=1", "cutpaste.form=patches", "cutpaste.patch=128"}, 96)
                .find("cutpaste.patch"),
            std::string::npos);
  EXPECT_EQ(refusal_of("cutpaste", {"cutpaste.patch=128"}, 96), "");
  std::int64_t parameters = 0;
  const CutPasteNetwork net = CutPasteNetwork::initial({}, 1);
  for (const torch::Tensor& p : net.parameters()) parameters += p.numel();
  EXPECT_EQ(parameters, 11'689'512 - 513'000 + 329'987);
}

TEST(CutPaste, ResumesBitForBitAndJudgesEachInputAlone) {
  ReconstructionTraining training("cutpaste", {"cutpaste.layers=2"}, 32);
  training.expect_resume();
  // A Gaussian of four vectors in 128 dimensions magnifies rounding.
  training.expect_judging(4, false, 5e-3);
  for (const char* tensor :
       {"resnet18.layer2.1.conv2.weight", "head.1.running_var", "cutpaste.mean", "cutpaste.covariance"})
    training.expect_damage_refused(tensor);
}

TEST(CutPaste, PatchesWithAKernelDensityResumeBitForBit) {
  ReconstructionTraining training("cutpaste",
                                  {"cutpaste.layers=1", "cutpaste.form=patches", "cutpaste.density=kernel",
                                   "cutpaste.patch=32", "cutpaste.stride=16"},
                                  48);
  training.expect_resume();
  training.expect_judging(3, false);
  training.expect_damage_refused("cutpaste.vectors");
}

TEST(CutPaste, ACovarianceWithoutAnInverseIsRefused) {
  auto density = EmbeddingDensity::fit(CutPasteDensity::kGaussian, 1, torch::eye(4).add(0.1));
  TensorDict bad = density.to_dict();
  bad["cutpaste.covariance"] = to_host(torch::full({4, 4}, -1.0F));
  try {
    EmbeddingDensity::from_dict(CutPasteDensity::kGaussian, 1, 4, bad, "m.glint");
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("no inverse"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("m.glint"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace glint
