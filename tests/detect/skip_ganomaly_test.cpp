#include "glint/detect/skip_ganomaly/skip_ganomaly.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "adversarial_golden.h"
#include "glint/nn/tensors.h"
#include "reconstruction_training.h"
#include "tensor_compare.h"

namespace glint {
namespace {

class SkipGanomalyGolden : public AdversarialGolden {
 protected:
  SkipGanomalyGolden() : AdversarialGolden("skip_ganomaly") {
    options_.latent = 10;
    options_.width = 4;
  }
  SkipGanomalyReconstructor network(SkipDiscriminatorLoss loss = SkipDiscriminatorLoss::kLatent) const {
    SkipGanomalyOptions options = options_;
    options.discriminator_loss = loss;
    return {options,
            TrainableNet::from_dict(SkipGanomalyReconstructor::generator_layout(options_),
                                    weights("generator", 0), "golden"),
            TrainableNet::from_dict(SkipGanomalyReconstructor::discriminator_layout(options_),
                                    weights("discriminator", 40), "golden")};
  }
  SkipGanomalyOptions options_;
};

TEST_F(SkipGanomalyGolden, Judging) {
  const torch::NoGradGuard no_grad;
  const SkipGanomalyReconstructor net = network();
  const torch::Tensor x = at("image"), y = net.generate(x, false);
  expect_close(y, at("eval.reconstruction"), 2e-4);
  const auto of_real = net.discriminate(x, false), of_fake = net.discriminate(y, false);
  expect_close(of_real.real, at("eval.discriminator_real"), 2e-4);
  expect_close(of_fake.real, at("eval.discriminator_fake"), 2e-4);
  expect_close(of_real.features, at("eval.feature_real"), 2e-4);
  expect_close(of_fake.features, at("eval.feature_fake"), 2e-4);
  const auto terms = net.losses(x, false);
  expect_each({terms.adversarial, terms.reconstruction, terms.features, terms.real, terms.fake},
              at("eval.terms"), 2e-4);
  const Reconstruction out = net.reconstruct(x);
  expect_close(out.score, at("eval.score"), 2e-4);
  expect_close(net.error(x, out.image), at("eval.map"), 2e-4);
}

TEST_F(SkipGanomalyGolden, GradientsAndThreeSteps) {
  const torch::Tensor x = at("image");
  for (const auto& [kind, loss] :
       {std::pair<std::string, SkipDiscriminatorLoss>("latent", SkipDiscriminatorLoss::kLatent),
        {"plain", SkipDiscriminatorLoss::kPlain}}) {
    SkipGanomalyReconstructor net = network(loss);
    net.begin_training();
    const auto terms = net.losses(x, true);
    expect_gradients("gradient.generator.", net.generator(), net.generator().gradients(terms.generator, true),
                     2);
    expect_gradients("gradient." + kind + ".discriminator.", net.discriminator(),
                     net.discriminator().gradients(terms.discriminator), 2);
    SkipGanomalyReconstructor trained = network(loss);
    trained.begin_training();
    for (int i = 0; i < 3; ++i) {
      const Readings got = trained.step(x, {}, 0);
      const torch::Tensor want = at("losses." + kind)[i];
      int column = 0;
      for (const char* name : {"adversarial_loss", "reconstruction_loss", "feature_loss", kLoss, "real_loss",
                               "fake_loss", "discriminator_loss"})
        expect_close(torch::tensor(got.at(name), torch::kDouble), want[column++], 1e-4, kind + name);
    }
  }
}

TEST(SkipGanomaly, ResumesAndJudges) {
  ReconstructionTraining training(
      "skip_ganomaly", {"skip_ganomaly.width=4", "skip_ganomaly.latent=6", "skip_ganomaly.window=32"}, 40);
  training.expect_resume();
  training.expect_judging();
  training.expect_damage_refused("discriminator.feat.final-16-1-conv.weight");
  training.expect_damage_refused("generator.model.model.3.bias");
}

TEST(SkipGanomaly, RefusesWhatItCannotTake) {
  EXPECT_NE(refusal_of("skip_ganomaly", {"skip_ganomaly.window=48"}, 64).find("power of two"),
            std::string::npos);
  EXPECT_EQ(passes_of("skip_ganomaly", Recipe::kBaseline), 15);
}

}  // namespace
}  // namespace glint
