#include "glint/detect/ganomaly/ganomaly.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "adversarial_golden.h"
#include "glint/nn/tensors.h"
#include "reconstruction_training.h"
#include "tensor_compare.h"

namespace glint {
namespace {

class GanomalyGolden : public AdversarialGolden {
 protected:
  GanomalyGolden() : AdversarialGolden("ganomaly") {
    options_.latent = 10;
    options_.width = 6;
  }
  GanomalyReconstructor network() const {
    return {options_,
            TrainableNet::from_dict(GanomalyReconstructor::generator_layout(options_),
                                    weights("generator", 0), "golden"),
            TrainableNet::from_dict(GanomalyReconstructor::discriminator_layout(options_),
                                    weights("discriminator", 40), "golden")};
  }
  GanomalyOptions options_;
};

TEST_F(GanomalyGolden, Judging) {
  const torch::NoGradGuard no_grad;
  const GanomalyReconstructor net = network();
  const torch::Tensor x = at("image");
  const auto fake = net.generate(x, false);
  expect_close(fake.image, at("eval.reconstruction"), 2e-4);
  expect_close(fake.latent, at("eval.latent"), 2e-4);
  expect_close(fake.latent_again, at("eval.latent_again"), 2e-4);
  const auto of_real = net.discriminate(x, false), of_fake = net.discriminate(fake.image, false);
  expect_close(of_real.real, at("eval.discriminator_real"), 2e-4);
  expect_close(of_fake.real, at("eval.discriminator_fake"), 2e-4);
  expect_close(of_real.features, at("eval.feature_real"), 2e-4);
  expect_close(of_fake.features, at("eval.feature_fake"), 2e-4);
  const auto terms = net.losses(x, false);
  expect_each({terms.features, terms.reconstruction, terms.latent, terms.real, terms.fake}, at("eval.terms"),
              2e-4);
  expect_close(net.reconstruct(x).score, at("eval.score"), 2e-4);
}

TEST_F(GanomalyGolden, GradientsAndThreeSteps) {
  GanomalyReconstructor net = network();
  net.begin_training();
  const torch::Tensor x = at("image");
  const auto terms = net.losses(x, true);
  expect_gradients("gradient.generator.", net.generator(), net.generator().gradients(terms.generator, true),
                   4);
  expect_gradients("gradient.discriminator.", net.discriminator(),
                   net.discriminator().gradients(terms.discriminator), 1);
  GanomalyReconstructor trained = network();
  trained.begin_training();
  for (int i = 0; i < 3; ++i) {
    const Readings got = trained.step(x, {}, 0);
    const torch::Tensor want = at("losses")[i];
    int column = 0;
    for (const char* name : {"feature_loss", "reconstruction_loss", "latent_loss", kLoss, "real_loss",
                             "fake_loss", "discriminator_loss"})
      expect_close(torch::tensor(got.at(name), torch::kDouble), want[column++], 1e-4, name);
  }
}

TEST(Ganomaly, ResumesAndJudges) {
  ReconstructionTraining training("ganomaly", {"ganomaly.width=4", "ganomaly.latent=6", "ganomaly.window=32"},
                                  40);
  training.expect_resume();
  training.expect_judging();
  training.expect_damage_refused("encoder2.main.final-16-1-conv.weight");
  // The discriminator is no part of the model.
  EXPECT_EQ(training.result().weights.count("training.discriminator.features.0.weight"), 0U);
  EXPECT_EQ(training.states()[0].tensors.count("training.discriminator.features.0.weight"), 1U);
}

TEST(Ganomaly, RefusesWhatItCannotTake) {
  EXPECT_NE(refusal_of("ganomaly", {"ganomaly.window=48"}, 64).find("power of two"), std::string::npos);
  EXPECT_NE(refusal_of("ganomaly", {}, 48).find("input.size"), std::string::npos);
  EXPECT_EQ(passes_of("ganomaly", Recipe::kBaseline), 15);
}

}  // namespace
}  // namespace glint
