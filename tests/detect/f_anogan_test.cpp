#include "glint/detect/f_anogan/f_anogan.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "adversarial_golden.h"
#include "glint/nn/tensors.h"
#include "reconstruction_training.h"
#include "tensor_compare.h"

namespace glint {
namespace {

class FAnoganGolden : public AdversarialGolden {
 protected:
  FAnoganGolden() : AdversarialGolden("f_anogan") {
    options_.latent = 6;
    options_.width = 4;
  }
  FAnoganReconstructor network() const {
    const FAnoganNetworks networks(options_);
    return {options_, TrainableNet::from_dict(networks.generator_layout(), weights("generator", 0), "golden"),
            TrainableNet::from_dict(networks.critic_layout(), weights("critic", 40), "golden"),
            TrainableNet::from_dict(networks.encoder_layout(), weights("encoder", 80), "golden")};
  }
  void expect_sampled(const torch::Tensor& got, const std::string& name) const {
    EXPECT_TRUE(torch::tensor(got.sizes().vec()).equal(at(name + ".shape"))) << name;
    expect_close(got.flatten().index_select(0, at(name + ".sample_index")), at(name + ".sample_value"), 1e-3,
                 name);
    const torch::Tensor all = got.detach().to(torch::kDouble);
    expect_close(at::stack({all.mean(), all.std(false)}), at(name + ".mean_std"), 1e-3, name);
  }
  FAnoganOptions options_;
};

TEST_F(FAnoganGolden, Blocks) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, block] :
       {std::pair<std::string, ResidualBlock>("down_layer_norm",
                                              {"", 3, 5, BlockResize::kHalve, BlockNorm::kLayer}),
        {"up_batch_norm", {"", 5, 3, BlockResize::kDouble, BlockNorm::kBatch}}}) {
    NetLayout layout;
    block.describe(layout);
    const TrainableNet net = TrainableNet::from_dict(layout, weights("block." + name, 0), "golden");
    expect_close(block.run(net, at("block." + name + ".input"), false), at("block." + name + ".output"), 1e-3,
                 name);
  }
}

TEST_F(FAnoganGolden, CriticAndItsPenalty) {
  FAnoganReconstructor net = network();
  net.begin_training();
  const torch::Tensor x = at("image");
  const torch::Tensor generated = net.generate(at("noise"), false).detach();
  expect_close(generated, at("generator_output"), 1e-3);
  const auto losses = net.critic_losses(x, generated, at("alpha"));
  expect_close(losses.real, at("critic_real"), 1e-3);
  expect_close(losses.fake, at("critic_fake"), 1e-3);
  expect_close(losses.slopes, at("slopes"), 1e-3);
  expect_close(losses.penalty, at("gradient_penalty"), 1e-3);
  expect_close(losses.total, at("critic_loss"), 1e-3);
  expect_close(-losses.fake.mean(), at("generator_loss"), 1e-3);
  expect_gradients("penalty_gradient.", net.critic().net, net.critic().gradients(losses.penalty), 4, 2e-3);
}

TEST_F(FAnoganGolden, Judging) {
  const torch::NoGradGuard no_grad;
  const FAnoganReconstructor net = network();
  const torch::Tensor x = at("image"), code = net.encode(x, false);
  expect_close(code, at("code"), 1e-3);
  const Reconstruction out = net.reconstruct(x);
  expect_close(out.image, at("reconstruction"), 1e-3);
  expect_close(out.score, at("score"), 1e-3);
  expect_close(net.error(x, out.image), at("map"), 1e-3);
  const torch::Tensor image = (x - out.image).square().flatten(1).mean(1);
  expect_close(image, at("score_image"), 1e-3);
  expect_close(out.score - image, at("score_feature"), 2e-3);
  expect_sampled(net.features(x), "feature_real");
  expect_sampled(net.features(out.image), "feature_reconstruction");
  // The distance of codes is the published alternative score; the method does not use it.
  const torch::Tensor again = net.encode(out.image, false);
  expect_close(again, at("code_again"), 1e-3);
  expect_close((code - again).square().mean(1), at("score_latent"), 2e-3);
}

TEST_F(FAnoganGolden, EncoderStepsByRmsProp) {
  FAnoganReconstructor net = network();
  net.begin_training();
  const torch::Tensor x = at("image");
  const std::vector<torch::Tensor> parameters = net.encoder().parameters();
  expect_gradients("encoder_gradient.", net.encoder(),
                   gradients_of(net.encoder_losses(x, true).total, parameters), 3, 5e-3);
  FAnoganReconstructor trained = network();
  trained.begin_training();
  for (int i = 0; i < 3; ++i) {
    const Readings got = trained.encoder_step(x);
    expect_close(torch::tensor({got.at("image_loss"), got.at("feature_loss"), got.at(kLoss)}),
                 at("izi_f_losses")[i], 2e-3, "step " + std::to_string(i));
  }
}

TEST(FAnogan, ResumesInBothPartsAndJudges) {
  const std::vector<std::string> settings = {"f_anogan.width=2", "f_anogan.latent=4", "f_anogan.window=32",
                                             "f_anogan.gan_meta_epochs=2", "f_anogan.critic_steps=2"};
  ReconstructionTraining training("f_anogan", settings, 32);
  for (const int epoch : {1, 2}) training.expect_resume(epoch);
  // Only with an encoder is it a detector.
  EXPECT_FALSE(training.states()[1].usable);
  EXPECT_TRUE(training.states()[2].usable);
  training.expect_judging();
  training.expect_damage_refused("critic.res2.norm1.bias");
  training.expect_damage_refused("encoder.res1.norm1.running_var");
}

TEST(FAnogan, RefusesWhatItCannotTake) {
  EXPECT_NE(refusal_of("f_anogan", {"f_anogan.window=50"}, 64).find("multiple of 16"), std::string::npos);
  EXPECT_NE(refusal_of("f_anogan", {"f_anogan.gan_meta_epochs=40"}, 64).find("f_anogan.meta_epochs"),
            std::string::npos);
}

}  // namespace
}  // namespace glint
