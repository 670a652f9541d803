// embedding, head, head_kernels and simplenet against the published code's numbers and against each other.
#include "glint/detect/simplenet/simplenet.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/detect/detector.h"
#include "glint/detect/feature_store.h"
#include "glint/detect/seeded_tensors.h"
#include "glint/detect/simplenet/embedding.h"
#include "glint/detect/simplenet/head.h"
#include "glint/detect/simplenet/head_kernels.h"
#include "glint/detect/simplenet/negatives.h"
#include "glint/detect/simplenet/score_loss.h"
#include "glint/nn/backbone_net.h"
#include "golden.h"
#include "tensor_compare.h"

namespace glint {
namespace {

class GoldenEmbedding : public ::testing::TestWithParam<const char*> {};
TEST_P(GoldenEmbedding, LiteralAndComposedMatch) {
  const SafetensorsFile file = golden(GetParam());
  const torch::Tensor l2 = to_tensor(file.tensors.at("layer2")), l3 = to_tensor(file.tensors.at("layer3"));
  const torch::Tensor want = to_tensor(file.tensors.at("embedding"));
  const int pretrain = std::stoi(file.metadata.at("pretrain_embed_dimension"));
  const int target = std::stoi(file.metadata.at("target_embed_dimension"));
  expect_close(embed_literal(l2, l3, pretrain, target), want, 1e-4, "literal");
  const PatchEmbedding embedding(static_cast<int>(l2.size(1)), static_cast<int>(l3.size(1)), pretrain,
                                 target);
  expect_close(embedding.embed(l2, l3), want, 1e-4, "composed");
}
INSTANTIATE_TEST_SUITE_P(Ratios, GoldenEmbedding,
                         ::testing::Values("simplenet_embed_integer_ratio",
                                           "simplenet_embed_fractional_ratio"));

TEST(Embedding, ComposedEqualsLiteralOnRaggedShapes) {
  Rng rng(4);
  for (int round = 0; round < 12; ++round) {
    const int c2 = 1 + static_cast<int>(rng.below(20)), c3 = 1 + static_cast<int>(rng.below(30));
    const int h = 3 + static_cast<int>(rng.below(9)), w = 3 + static_cast<int>(rng.below(9));
    const int pretrain = 4 + static_cast<int>(rng.below(60)), target = 4 + static_cast<int>(rng.below(60));
    torch::manual_seed(round);
    const torch::Tensor l2 = torch::randn({2, c2, h, w}),
                        l3 = torch::randn({2, c3, (h + 1) / 2, (w + 1) / 2});
    expect_close(PatchEmbedding(c2, c3, pretrain, target).embed(l2, l3),
                 embed_literal(l2, l3, pretrain, target), 1e-5, "round " + std::to_string(round));
  }
}

double double_at(const HostTensor& t, std::size_t i) {
  double v = 0;
  std::memcpy(&v, &t.data[8 * i], 8);
  return v;
}

using Step = StepResult (*)(HeadWeights&, const torch::Tensor&, const Fakes&, const LossOptions&,
                            HeadGradients&);

class GoldenTraining : public ::testing::TestWithParam<std::tuple<const char*, Step>> {};
TEST_P(GoldenTraining, SixStepsMatch) {
  const auto [name, gradients_of] = GetParam();
  const SafetensorsFile file = golden(name);
  const bool official = std::string(name).ends_with("official");
  SimpleNetOptions options;
  if (official) {
    options.adapter_optimizer = AdapterOptimizer::kAdamW;
    options.adapter_weight_decay = 0.01;
    options.discriminator_learning_rate = 2e-4;
    options.clip_norm = 0;
  }
  HeadWeights head = HeadWeights::from_dict(take_prefixed(file.tensors, "initial."), name);
  HeadOptimizer optimizer(options, head);
  const torch::Tensor features = to_tensor(file.tensors.at("features")),
                      noise = to_tensor(file.tensors.at("noise"));
  for (std::int64_t i = 0; i < noise.size(0); ++i) {
    HeadGradients gradients;
    StepResult step = gradients_of(head, features, {noise[i].contiguous(), {}}, {options.margin}, gradients);
    optimizer.step(head, gradients, step);
    EXPECT_NEAR(step.loss, double_at(file.tensors.at("loss"), i), 1e-4) << i;
    EXPECT_NEAR(step.real_margin_accuracy, double_at(file.tensors.at("p_true"), i), 1e-6) << i;
    EXPECT_NEAR(step.fake_margin_accuracy, double_at(file.tensors.at("p_fake"), i), 1e-6) << i;
    EXPECT_NEAR(step.adapter_grad_norm,
                double_at(file.tensors.at("grad_norm_projection_discriminator"), 2 * i), 1e-3)
        << i;
    EXPECT_NEAR(step.discriminator_grad_norm,
                double_at(file.tensors.at("grad_norm_projection_discriminator"), 2 * i + 1), 2e-3)
        << i;
  }
  const TensorDict got = head.to_dict(), want = take_prefixed(file.tensors, "final.");
  for (const auto& [tensor_name, tensor] : got) {
    if (tensor.dtype != DType::kF32 || !want.count(tensor_name)) continue;
    // Batch norm removes whatever a bias before it adds: the gradients of both biases are pure rounding
    // noise, which Adam magnifies to steps of the learning rate. They and the running mean that follows them
    // are held to six such steps; the patch scores below, which see their sum, to the full tolerance.
    const bool before_norm = tensor_name.ends_with("0fc.bias") || tensor_name.ends_with("block1.0.bias") ||
                             tensor_name.ends_with("running_mean");
    if (before_norm) {
      const double allowed = 2 * 6 * options.discriminator_learning_rate;
      EXPECT_LT((to_tensor(tensor) - to_tensor(want.at(tensor_name))).abs().max().item<double>(), allowed)
          << tensor_name;
      continue;
    }
    expect_close(to_tensor(tensor), to_tensor(want.at(tensor_name)), 1e-3, tensor_name);
  }
  const torch::Tensor scores = -discriminate(head, adapt(head, features));
  // Scores see the running mean, which follows the bias above: six steps of at most the learning rate.
  expect_close(scores, to_tensor(file.tensors.at("final.patch_scores")), 1e-3, "final patch scores");
}
INSTANTIATE_TEST_SUITE_P(Both, GoldenTraining,
                         ::testing::Combine(::testing::Values("simplenet_train_official",
                                                              "simplenet_train_refined"),
                                            ::testing::Values(&plain_gradients, &fast_gradients)));

TEST(Head, FastGradientsEqualAutogradOnRaggedShapes) {
  Rng rng(9);
  for (int round = 0; round < 8; ++round) {
    const int d = 3 + static_cast<int>(rng.below(50)), h = 3 + static_cast<int>(rng.below(40));
    const auto n = static_cast<std::int64_t>(5 + rng.below(700));
    torch::manual_seed(round);
    const torch::Tensor z = torch::randn({n, d});
    Fakes fakes{0.3 * torch::randn({n, d}), {}};
    if (round % 4 >= 2) {  // masked
      for (std::int64_t i = 0; i < n; ++i) {
        fakes.is_fake.push_back(rng.uniform() < 0.3 ? 1 : 0);
        if (fakes.is_fake.back() == 0) fakes.offset[i].zero_();
      }
    }
    const LossOptions loss{0.5, round % 2 == 1 ? DiscriminatorLoss::kHingeFocal : DiscriminatorLoss::kHinge,
                           3};
    HeadWeights a = HeadWeights::initial(d, h, round), b = a.clone();
    HeadGradients fast, plain;
    const StepResult f = fast_gradients(a, z, fakes, loss, fast),
                     p = plain_gradients(b, z, fakes, loss, plain);
    EXPECT_NEAR(f.loss, p.loss, 1e-5);
    EXPECT_NEAR(f.real_margin_accuracy, p.real_margin_accuracy, 2.0 / static_cast<double>(n));
    EXPECT_NEAR(f.fake_margin_accuracy, p.fake_margin_accuracy, 2.0 / static_cast<double>(n));
    expect_close(fast.adapter_weight, plain.adapter_weight, 1e-4, "adapter");
    expect_close(fast.hidden_weight, plain.hidden_weight, 1e-4, "hidden");
    expect_close(fast.norm_weight, plain.norm_weight, 1e-4, "norm weight");
    expect_close(fast.norm_bias, plain.norm_bias, 1e-4, "norm bias");
    expect_close(fast.tail_weight, plain.tail_weight, 1e-4, "tail");
    expect_close(a.norm_running_var, b.norm_running_var, 1e-5, "running variance");
  }
}

HeadWeights random_head(int d, int h, int seed) {
  HeadWeights head = HeadWeights::initial(d, h, static_cast<std::uint64_t>(seed));
  torch::manual_seed(seed);
  head.norm_running_mean = 0.3 * torch::randn({h});
  head.norm_running_var = torch::rand({h}) + 0.2;
  head.norm_weight = torch::randn({h});
  head.norm_bias = torch::randn({h});
  head.adapter_bias = torch::randn({d});
  return head;
}

TEST(ScoreLoss, HingeAndFocalByHand) {
  const std::vector<float> real = {0.8F, 0.1F}, fake = {-0.2F, 0.3F};
  const std::vector<std::uint8_t> mask = {1, 0};  // the second copy counts as good
  // good rows: D = 0.8, 0.1, 0.3 -> hinge 0, 0.4, 0.2; bad row: D = -0.2 -> 0.3
  const ScoreLoss hinge = score_loss(real, fake, mask, {0.5});
  EXPECT_NEAR(hinge.loss, 0.6 / 3 + 0.3, 1e-6);
  EXPECT_NEAR(hinge.good_past_margin, 1.0 / 3, 1e-9);
  EXPECT_EQ(hinge.fake_past_margin, 0);
  EXPECT_FLOAT_EQ(hinge.real_grad[0], 0);
  EXPECT_FLOAT_EQ(hinge.real_grad[1], -1.0F / 3);
  EXPECT_FLOAT_EQ(hinge.fake_grad[0], 1);
  EXPECT_FLOAT_EQ(hinge.fake_grad[1], -1.0F / 3);
  // all copies fakes: 0.4 / 2 + (0.3 + 0.8) / 2
  EXPECT_NEAR(score_loss(real, fake, {}, {0.5}).loss, 0.75, 1e-6);
  // focal, exponent 2: mean of (1 - p)^2 * -ln p over the four rows
  const auto focal = [](double right) {
    const double p = 1 / (1 + std::exp(-right));
    return (1 - p) * (1 - p) * -std::log(p);
  };
  const double want = (focal(0.8) + focal(0.1) + focal(0.2) + focal(0.3)) / 4;
  const LossOptions both{0.5, DiscriminatorLoss::kHingeFocal, 2};
  EXPECT_NEAR(score_loss(real, fake, mask, both).loss - hinge.loss, want, 1e-6);
  // an unmasked copy without any fake: no division by zero
  const ScoreLoss none = score_loss(real, fake, {0, 0}, {0.5});
  EXPECT_NEAR(none.loss, (0.4 + 0.7 + 0.2) / 4, 1e-6);
}

TEST(ScoreLoss, GradientEqualsDifferences) {
  Rng rng(3);
  std::vector<float> real(9), fake(9);
  std::vector<std::uint8_t> mask;
  for (std::size_t i = 0; i < real.size(); ++i) {
    real[i] = static_cast<float>(rng.uniform(-2, 2));
    fake[i] = static_cast<float>(rng.uniform(-2, 2));
    mask.push_back(i % 3 == 0 ? 1 : 0);
  }
  const LossOptions options{0.5, DiscriminatorLoss::kHingeFocal, 4};
  const ScoreLoss at = score_loss(real, fake, mask, options);
  constexpr float kStep = 1e-3F;
  for (auto* side : {&real, &fake}) {
    const std::vector<float>& grad = side == &real ? at.real_grad : at.fake_grad;
    for (std::size_t i = 0; i < side->size(); ++i) {
      const float before = (*side)[i];
      (*side)[i] = before + kStep;
      const double up = score_loss(real, fake, mask, options).loss;
      (*side)[i] = before - kStep;
      const double down = score_loss(real, fake, mask, options).loss;
      (*side)[i] = before;
      EXPECT_NEAR(grad[i], (up - down) / (2 * kStep), 1e-4) << i;
    }
  }
}

SimpleNetOptions distance_options(double distance, int ascent_steps) {
  SimpleNetOptions options;
  options.distance = distance;
  options.ascent_steps = ascent_steps;
  return options;
}

TEST(Negatives, DefaultIsTheNoiseItWasBefore) {
  const HeadWeights head = HeadWeights::initial(12, 8, 1);
  const torch::Tensor z = torch::ones({20, 12});
  const Fakes fakes = Negatives(SimpleNetOptions{}, {}, {}).draw(head, z, 77);
  EXPECT_TRUE(fakes.is_fake.empty());
  EXPECT_TRUE(torch::equal(fakes.offset, noise_like(z, 0.015, 77)));
}

TEST(Negatives, RadiusIsTheQuantileBetweenImages) {
  // One feature per image on a line at 0, 1, 3, 7: to the nearest other image 1, 1, 2, 4; the 0.75 quantile
  // is 2.5. Doubled by an adapter of 2.
  HeadWeights head = HeadWeights::initial(3, 4, 1);
  head.adapter_weight = 2 * torch::eye(3);
  torch::Tensor reference = torch::zeros({4, 1, 3});
  const double places[] = {0, 1, 3, 7};
  for (int i = 0; i < 4; ++i) reference[i][0][1] = places[i];
  Negatives negatives(distance_options(1, 0), reference, {});
  negatives.calibrate(head);
  EXPECT_NEAR(negatives.radius(), 5.0, 1e-5);
  // neighbours in the same image do not count
  const torch::Tensor twice = at::cat({reference, reference + 1e-3}, 1).contiguous();
  Negatives more(distance_options(1, 0), twice, {});
  more.calibrate(head);
  EXPECT_GT(more.radius(), 2.0);
}

TEST(Negatives, LieInTheShellAndAscentKeepsThemThere) {
  torch::manual_seed(5);
  HeadWeights head = random_head(24, 16, 3);
  const torch::Tensor reference = torch::randn({4, 10, 24}), z = torch::randn({700, 24});
  for (const int steps : {0, 4}) {
    Negatives negatives(distance_options(0.5, steps), reference, {});
    negatives.calibrate(head);
    const torch::Tensor length =
        negatives.offsets(head, z, 9).square().sum(1).sqrt() / (0.5 * negatives.radius());
    EXPECT_GT(length.min().item<float>(), 1 - 1e-4);
    EXPECT_LT(length.max().item<float>(), 2 + 1e-4);
    EXPECT_GT((length.max() - length.min()).item<float>(), steps == 0 ? 0.9 : 0.0);
    EXPECT_TRUE(torch::equal(negatives.offsets(head, z, 9), negatives.offsets(head, z, 9)));
  }
}

TEST(Negatives, OneAscentStepGoesAlongAutogradsGradient) {
  torch::manual_seed(6);
  HeadWeights head = random_head(24, 16, 4);
  const torch::Tensor reference = torch::randn({4, 10, 24}), z = torch::randn({700, 24});
  Negatives still(distance_options(1, 0), reference, {}), moved(distance_options(1, 1), reference, {});
  still.calibrate(head);
  moved.calibrate(head);
  const torch::Tensor before = still.offsets(head, z, 2), after = moved.offsets(head, z, 2);
  const torch::Tensor fake = (adapt(head, z) + before).detach().set_requires_grad(true);
  discriminate(head, fake).sum().backward();
  const torch::Tensor gradient = fake.grad();
  torch::Tensor want = before + 0.1 * still.radius() * gradient / gradient.square().sum(1, true).sqrt();
  const torch::Tensor length = want.square().sum(1, true).sqrt();
  want = want * length.clamp(still.radius(), 2 * still.radius()) / length;
  expect_close(after, want, 1e-4, "offsets");
  const torch::Tensor q = adapt(head, z);
  EXPECT_GT(discriminate(head, q + after).mean().item<float>(),
            discriminate(head, q + before).mean().item<float>());
}

TEST(Negatives, MaskedNoiseLeavesTheRestGood) {
  SimpleNetOptions options;
  options.noise_mask = NoiseMask::kPerlin;
  const HeadWeights head = HeadWeights::initial(6, 4, 1);
  const torch::Tensor z = torch::ones({6 * 9 * 7, 6});
  const Fakes fakes = Negatives(options, {}, {9, 7}).draw(head, z, 5);
  const torch::Tensor noise = noise_like(z, options.noise_std, 5);
  ASSERT_EQ(std::ssize(fakes.is_fake), z.size(0));
  std::int64_t altered = 0;
  for (std::int64_t i = 0; i < z.size(0); ++i) {
    const bool fake = fakes.is_fake[static_cast<std::size_t>(i)] != 0;
    altered += fake;
    EXPECT_TRUE(torch::equal(fakes.offset[i], fake ? noise[i] : torch::zeros({6})));
  }
  EXPECT_GT(altered, 0);
  EXPECT_LT(altered, z.size(0) / 2);
  // Patches: a neighbour to the right has the same label far more often than chance says.
  std::int64_t same = 0, pairs = 0;
  for (std::int64_t i = 0; i + 1 < z.size(0); ++i) {
    if (i % 7 == 6) continue;
    ++pairs;
    same += fakes.is_fake[static_cast<std::size_t>(i)] == fakes.is_fake[static_cast<std::size_t>(i) + 1];
  }
  EXPECT_GT(static_cast<double>(same) / static_cast<double>(pairs), 0.8);
}

TEST(SimpleNet, AscentWithoutADistanceIsRefused) {
  const auto method = make_method("simplenet");
  OptionTable table;
  method->describe(table);
  table.set_assignment("simplenet.ascent_steps=4");
  EXPECT_THROW(check_method(*method, backbone_spec("resnet18"), {}), Error);
  table.set_assignment("simplenet.distance=1");
  EXPECT_NO_THROW(check_method(*method, backbone_spec("resnet18"), {}));
}

TEST(HeadOptimizer, RateScalesBothSteps) {
  SimpleNetOptions options;
  options.adapter_weight_decay = options.discriminator_weight_decay = 0;
  const HeadWeights start = HeadWeights::initial(16, 8, 1);
  torch::manual_seed(1);
  const torch::Tensor z = torch::randn({64, 16});
  const auto moved = [&](double rate) {
    HeadWeights head = start.clone();
    HeadOptimizer optimizer(options, head);
    HeadGradients gradients;
    StepResult result = fast_gradients(head, z, {0.1 * z.flip(0).contiguous(), {}}, {}, gradients);
    optimizer.step(head, gradients, result, rate);
    return std::pair(head.adapter_weight - start.adapter_weight, head.tail_weight - start.tail_weight);
  };
  const auto [adapter, tail] = moved(1);
  const auto [less_adapter, less_tail] = moved(0.25);
  expect_close(less_adapter, 0.25 * adapter, 1e-2, "adapter");
  expect_close(less_tail, 0.25 * tail, 1e-2, "discriminator");
}

/// plain_gradients in float64, written out: the reference that rounding is measured against. With `rounded`,
/// what the fast path keeps in bfloat16 (features, noise, weights, adapted features, hidden pre-activations
/// and their gradients) is rounded to it on the way, and nothing else.
struct Reference {
  torch::Tensor adapter_weight, hidden_weight, tail_weight;
};
Reference float64_gradients(const HeadWeights& head, const torch::Tensor& z, const torch::Tensor& noise,
                            double margin, bool rounded) {
  auto keep = [&](const torch::Tensor& t) {
    return rounded ? t.to(torch::kBFloat16).to(torch::kDouble)
                   : t;  // the gradient is rounded on its way back
  };
  auto leaf = [](const torch::Tensor& t) { return t.to(torch::kDouble).clone().set_requires_grad(true); };
  const torch::Tensor adapter = leaf(head.adapter_weight), hidden = leaf(head.hidden_weight),
                      tail = leaf(head.tail_weight);
  const torch::Tensor q =
      keep(at::linear(keep(z.to(torch::kDouble)), keep(adapter), keep(head.adapter_bias.to(torch::kDouble))));
  const torch::Tensor real = keep(at::linear(q, keep(hidden), keep(head.hidden_bias.to(torch::kDouble))));
  const torch::Tensor moved = keep(at::linear(keep(noise.to(torch::kDouble)), keep(hidden)));
  const torch::Tensor h = torch::cat({real, real + moved});
  const torch::Tensor centred = h - h.mean(0);
  const torch::Tensor normed =
      centred / (centred.square().mean(0) + kHeadBatchNormEps).sqrt() * head.norm_weight.to(torch::kDouble) +
      head.norm_bias.to(torch::kDouble);
  const torch::Tensor score = at::matmul(at::leaky_relu(normed, kLeakySlope), tail.t()).flatten();
  const std::int64_t n = z.size(0);
  const torch::Tensor loss =
      at::relu(margin - score.narrow(0, 0, n)).mean() + at::relu(margin + score.narrow(0, n, n)).mean();
  loss.backward();
  return {adapter.grad(), hidden.grad(), tail.grad()};
}

TEST(Head, Bfloat16GradientsAreOffByTheirRoundingOnly) {
  // Rounding moves a few rows across the hinge's margin and the leaky ReLU's bend, where the gradient jumps,
  // so that the error is far above bfloat16's unit 2^-9 and depends on the data. float64 with the same
  // roundings says how large it must be; the fast path may be off by twice that and a few units for the order
  // of its sums.
  constexpr double kUnit = 0x1p-9;
  Rng rng(9, "bf16");
  for (int round = 0; round < 6; ++round) {
    const int d = 16 + static_cast<int>(rng.below(50)), h = 16 + static_cast<int>(rng.below(40));
    const auto n = static_cast<std::int64_t>(200 + rng.below(700));
    torch::manual_seed(round);
    const torch::Tensor z = torch::randn({n, d}), noise = 0.3 * torch::randn({n, d});
    const HeadWeights head = HeadWeights::initial(d, h, round);
    const Reference want = float64_gradients(head, z, noise, 0.5, false),
                    rounded = float64_gradients(head, z, noise, 0.5, true);
    HeadGradients single, half;
    HeadWeights a = head.clone(), b = head.clone();
    plain_gradients(a, z, {noise, {}}, {0.5}, single);
    fast_gradients(b, z.to(torch::kBFloat16), {noise.to(torch::kBFloat16), {}}, {0.5}, half);
    auto compare = [&](const char* name, const torch::Tensor& got32, const torch::Tensor& got16,
                       const torch::Tensor& wanted, const torch::Tensor& emulated) {
      const torch::Tensor w = wanted.flatten(), g = got16.to(torch::kDouble).flatten();
      auto off = [&](const torch::Tensor& got) {
        return ((got.to(torch::kDouble).flatten() - w).norm() / w.norm()).item<double>();
      };
      const double bound = 2 * off(emulated) + 4 * kUnit;
      EXPECT_LT(off(got32), 1e-5) << name << ": the reference itself";
      EXPECT_LT(off(got16), bound) << name;
      EXPECT_LT(bound, 0.2) << name;
      const double cosine = (g.dot(w) / (g.norm() * w.norm())).item<double>();
      EXPECT_GT(cosine, 1 - bound * bound / 2) << name;
    };
    compare("adapter", single.adapter_weight, half.adapter_weight, want.adapter_weight,
            rounded.adapter_weight);
    compare("hidden", single.hidden_weight, half.hidden_weight, want.hidden_weight, rounded.hidden_weight);
    compare("tail", single.tail_weight, half.tail_weight, want.tail_weight, rounded.tail_weight);
  }
}

TEST(Head, FoldedMapEqualsPlainPath) {
  HeadWeights head = HeadWeights::initial(48, 32, 3);
  torch::manual_seed(2);
  head.norm_running_mean = torch::randn({32});
  head.norm_running_var = torch::rand({32}) + 0.2;
  head.norm_weight = torch::randn({32});
  head.norm_bias = torch::randn({32});
  const torch::Tensor z = torch::randn({500, 48});
  const FoldedHead folded = fold_head(head);
  const torch::Tensor fast =
      at::mv(at::leaky_relu(at::linear(z, folded.weight, folded.bias), kLeakySlope), folded.tail);
  expect_close(fast, discriminate(head, adapt(head, z)), 1e-4, "scores");
}

/// Features, literal embedding, adapter and discriminator, one after the other, as published.
ScoreMap literal_scores(const Backbone& backbone, const std::vector<HeadWeights>& heads, double scale,
                        const RgbImage& image) {
  const FeatureMaps maps = backbone.features(images_to_tensor({image}, kImageNetMean, kImageNetStd));
  const int d = static_cast<int>(heads[0].dimension());
  const torch::Tensor z = scale * embed_literal(maps.layer2.clone(), maps.layer3.clone(), d, d);
  torch::Tensor score = torch::zeros({z.size(0)});
  for (const HeadWeights& head : heads)
    score -= discriminate(head, adapt(head, z)) / static_cast<double>(heads.size());
  ScoreMap out(static_cast<int>(maps.layer2.size(3)), static_cast<int>(maps.layer2.size(2)));
  std::copy_n(score.contiguous().data_ptr<float>(), out.values.size(), out.values.begin());
  return out;
}

Backbone random_network() {
  TensorDict network;
  torch::manual_seed(4);
  for (const ConvShape& shape : conv_shapes(backbone_spec("resnet18"))) {
    const double std = std::sqrt(2.0 / (shape.in * shape.kernel * shape.kernel));
    network[shape.name + ".weight"] =
        to_host(std * torch::randn({shape.out, shape.in, shape.kernel, shape.kernel}));
    network[shape.name + ".bias"] = to_host(0.1 * torch::randn({shape.out}));
  }
  return {{"resnet18", "", "test", "none"}, network};
}

TEST(SimpleNet, FastDetectorEqualsTheLiteralOneFromImageToScores) {
  const Backbone backbone = random_network();
  constexpr double kScale = 0.8;
  constexpr int kD = 40;
  for (const int heads : {1, 3}) {  // three together have more hidden units than features: the other path
    std::vector<HeadWeights> all;
    TensorDict weights;
    for (int i = 0; i < heads; ++i) {
      all.push_back(random_head(kD, 26, 10 + i));
      add_prefixed(weights, i + 1 == heads ? "" : fmt::format("snapshot.{:03}.", i), all.back().to_dict());
    }
    weights["simplenet.feature_scale"] = to_host(torch::tensor({kScale}, torch::kDouble));
    const auto detector =
        make_method("simplenet")->load(std::make_shared<Backbone>(backbone), weights, "test");
    Rng rng(5, "photographs", heads);
    for (const auto& [width, height] : {std::pair(96, 96), std::pair(75, 101), std::pair(130, 64)}) {
      RgbImage image(width, height);
      for (std::uint8_t& v : image.pixels) v = static_cast<std::uint8_t>(rng.below(256));
      const ScoreMap fast = detector->patch_scores({image})[0].map;
      const ScoreMap plain = literal_scores(backbone, all, kScale, image);
      ASSERT_EQ(fast.width, plain.width);
      ASSERT_EQ(fast.height, plain.height);
      float range = 0;
      for (const float v : plain.values) range = std::max(range, std::abs(v));
      for (std::size_t i = 0; i < plain.values.size(); ++i)
        ASSERT_NEAR(fast.values[i], plain.values[i], 2e-5 * range) << heads << " heads, patch " << i;
    }
  }
}

TEST(SimpleNet, AllFixesTogetherResumeBitForBit) {
  const auto method = make_method("simplenet");
  OptionTable table;
  method->describe(table);
  for (const char* setting :
       {"simplenet.embedding_dimension=16", "simplenet.meta_epochs=2", "simplenet.passes=2",
        "simplenet.noise_mask=perlin", "simplenet.loss=hinge_focal", "simplenet.distance=1",
        "simplenet.ascent_steps=2", "simplenet.final_learning_rate=0.1"})
    table.set_assignment(setting);
  const Backbone backbone = random_network();
  FitInput input;
  input.images = 6;
  input.image = [](int image, int) {
    Rng rng(5, "image", image);
    RgbImage out(64, 64);
    for (std::uint8_t& v : out.pixels) v = static_cast<std::uint8_t>(rng.below(256));
    return out;
  };
  input.precision = Precision::kFloat32;
  std::vector<TrainingState> states;
  input.on_meta_epoch = [&](const TrainingState& state) { states.push_back(state); };
  const FitResult whole = method->fit(backbone, input);
  EXPECT_GT(std::get<double>(whole.record.figures.at("negatives_radius")), 0);
  ASSERT_EQ(states.size(), 2U);
  input.resume = states[0];
  const FitResult resumed = method->fit(backbone, input);
  for (const auto& [name, tensor] : whole.weights)
    EXPECT_EQ(resumed.weights.at(name).data, tensor.data) << name;
  EXPECT_NO_THROW(method->load(std::make_shared<Backbone>(backbone), whole.weights, "test"));
}

TEST(Head, OptimizerStateSurvivesSaving) {
  SimpleNetOptions options;
  HeadWeights head = HeadWeights::initial(16, 8, 1);
  HeadOptimizer optimizer(options, head);
  torch::manual_seed(1);
  const torch::Tensor z = torch::randn({64, 16}), noise = 0.1 * torch::randn({64, 16});
  auto step = [&](HeadWeights& w, HeadOptimizer& o) {
    HeadGradients g;
    StepResult r = fast_gradients(w, z, {noise, {}}, {0.5}, g);
    o.step(w, g, r);
  };
  step(head, optimizer);
  TensorDict saved = head.to_dict();
  optimizer.save(saved);
  HeadWeights other = HeadWeights::from_dict(saved, "x");
  HeadOptimizer resumed(options, other);
  resumed.load(saved, "x");
  step(head, optimizer);
  step(other, resumed);
  EXPECT_TRUE(torch::equal(head.hidden_weight, other.hidden_weight));
  EXPECT_TRUE(torch::equal(head.norm_running_mean, other.norm_running_mean));
}

TEST(Noise, HasTheMomentsOfANormalAndNoCorrelation) {
  constexpr std::int64_t kN = 1 << 20;
  std::vector<float> a(kN), b(kN);
  normal_values<float>(1, 0, kN, 2.0F, a.data());
  normal_values<float>(2, 0, kN, 2.0F, b.data());
  double mean = 0, var = 0, fourth = 0, cross = 0, lag = 0, tail = 0;
  for (std::int64_t i = 0; i < kN; ++i) {
    const double v = a[i] / 2.0;
    mean += v;
    var += v * v;
    fourth += v * v * v * v;
    cross += v * b[i] / 2.0;
    if (i > 0) lag += v * a[i - 1] / 2.0;
    tail += std::abs(v) > 3 ? 1 : 0;
  }
  EXPECT_NEAR(mean / kN, 0, 0.005);
  EXPECT_NEAR(var / kN, 1, 0.007);
  EXPECT_NEAR(fourth / kN, 3, 0.06);
  EXPECT_NEAR(cross / kN, 0, 0.005);
  EXPECT_NEAR(lag / kN, 0, 0.005);
  EXPECT_NEAR(tail / kN, 0.0027, 0.0003);
  std::vector<float> part(1000);
  normal_values<float>(1, 65536, 1000, 2.0F, part.data());
  EXPECT_EQ(std::vector<float>(a.begin() + 65536, a.begin() + 66536), part);
}

TEST(FeatureStore, SpillsToDiskWithoutChangingAnything) {
  FeatureStore store(10, 16, 48);
  EXPECT_TRUE(store.spills());
  for (int k = 9; k >= 0; --k) {
    const std::string block(16, static_cast<char>('a' + k));
    store.put(k, block.data());
  }
  for (int k = 0; k < 10; ++k) {
    std::string block(16, ' ');
    store.get(k, block.data());
    EXPECT_EQ(block, std::string(16, static_cast<char>('a' + k)));
  }
}

}  // namespace
}  // namespace glint
