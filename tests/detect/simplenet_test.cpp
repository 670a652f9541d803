// embedding, head, head_kernels and simplenet against the published code's numbers and against each other.
#include "glint/detect/simplenet/simplenet.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/detect/detector.h"
#include "glint/detect/feature_store.h"
#include "glint/detect/simplenet/embedding.h"
#include "glint/detect/simplenet/head.h"
#include "glint/detect/simplenet/head_kernels.h"
#include "glint/nn/backbone.h"
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

using Step = StepResult (*)(HeadWeights&, const torch::Tensor&, const torch::Tensor&, double, HeadGradients&);

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
    StepResult step = gradients_of(head, features, noise[i].contiguous(), options.margin, gradients);
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
  for (int round = 0; round < 6; ++round) {
    const int d = 3 + static_cast<int>(rng.below(50)), h = 3 + static_cast<int>(rng.below(40));
    const auto n = static_cast<std::int64_t>(5 + rng.below(700));
    torch::manual_seed(round);
    const torch::Tensor z = torch::randn({n, d}), noise = 0.3 * torch::randn({n, d});
    HeadWeights a = HeadWeights::initial(d, h, round), b = a.clone();
    HeadGradients fast, plain;
    const StepResult f = fast_gradients(a, z, noise, 0.5, fast), p = plain_gradients(b, z, noise, 0.5, plain);
    EXPECT_NEAR(f.loss, p.loss, 1e-5);
    expect_close(fast.adapter_weight, plain.adapter_weight, 1e-4, "adapter");
    expect_close(fast.hidden_weight, plain.hidden_weight, 1e-4, "hidden");
    expect_close(fast.norm_weight, plain.norm_weight, 1e-4, "norm weight");
    expect_close(fast.norm_bias, plain.norm_bias, 1e-4, "norm bias");
    expect_close(fast.tail_weight, plain.tail_weight, 1e-4, "tail");
    expect_close(a.norm_running_var, b.norm_running_var, 1e-5, "running variance");
  }
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
    plain_gradients(a, z, noise, 0.5, single);
    fast_gradients(b, z.to(torch::kBFloat16), noise.to(torch::kBFloat16), 0.5, half);
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

TEST(SimpleNet, FastDetectorEqualsTheLiteralOneFromImageToScores) {
  TensorDict network;
  torch::manual_seed(4);
  for (const ConvShape& shape : conv_shapes(backbone_spec("resnet18"))) {
    const double std = std::sqrt(2.0 / (shape.in * shape.kernel * shape.kernel));
    network[shape.name + ".weight"] =
        to_host(std * torch::randn({shape.out, shape.in, shape.kernel, shape.kernel}));
    network[shape.name + ".bias"] = to_host(0.1 * torch::randn({shape.out}));
  }
  const Backbone backbone({"resnet18", "", "test", "none"}, network);
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

TEST(Head, OptimizerStateSurvivesSaving) {
  SimpleNetOptions options;
  HeadWeights head = HeadWeights::initial(16, 8, 1);
  HeadOptimizer optimizer(options, head);
  torch::manual_seed(1);
  const torch::Tensor z = torch::randn({64, 16}), noise = 0.1 * torch::randn({64, 16});
  auto step = [&](HeadWeights& w, HeadOptimizer& o) {
    HeadGradients g;
    StepResult r = fast_gradients(w, z, noise, 0.5, g);
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
