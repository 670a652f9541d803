#include "glint/detect/reverse_distillation/reverse_distillation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "glint/base/error.h"
#include "glint/detect/patch_features.h"
#include "glint/detect/reverse_distillation/network.h"
#include "glint/image/resample.h"
#include "glint/nn/adam.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "golden_weights.h"
#include "tensor_compare.h"

namespace glint {
namespace {

class ReverseDistillationGolden : public ::testing::Test {
 protected:
  torch::Tensor at(const std::string& name) const { return to_tensor(file_.tensors.at(name)); }
  /// What of `got` the golden holds a sample of.
  void expect_sampled(const torch::Tensor& got, const std::string& name, double relative) const {
    ASSERT_TRUE(torch::tensor(got.sizes()).equal(at(name + ".shape"))) << name;
    expect_close(got.reshape({-1}).index_select(0, at(name + ".sample_index")), at(name + ".sample_value"),
                 relative, name);
  }
  ReverseDistillationNetwork network() const {
    TensorDict tensors;
    for (const char* part : {"bottleneck", "decoder"}) {
      for (auto& [name, tensor] : formula_weights(file_, std::string("weights.") + part))
        tensors[std::string(part) + '.' + name] = tensor;
    }
    return ReverseDistillationNetwork::from_dict(tensors, backbone_spec("resnet18"), "golden");
  }
  const SafetensorsFile file_ = golden("reverse_distillation");
  const std::vector<torch::Tensor> teacher_ = {at("teacher.layer1"), at("teacher.layer2"),
                                               at("teacher.layer3")};
};

TEST_F(ReverseDistillationGolden, Judging) {
  const torch::NoGradGuard no_grad;
  const ReverseDistillationNetwork net = network();
  const torch::Tensor code = net.encode(teacher_, false);
  expect_sampled(code, "bottleneck", 1e-4);
  const std::vector<torch::Tensor> decoded = net.decode(code, teacher_, false);
  for (std::size_t l = 0; l < 3; ++l) {
    const std::string layer = "layer" + std::to_string(l + 1);
    expect_sampled(decoded[l], "decoder." + layer, 1e-4);
    expect_close(cosine_distance(teacher_[l], decoded[l]), at("distance." + layer), 1e-4, layer);
  }
  expect_close(reverse_distillation_loss(teacher_, decoded), at("eval_loss"), 1e-4);
  const torch::Tensor sum = distance_sum(teacher_, decoded, 64, 64);
  expect_close(sum, at("map.sum"), 1e-4);
  const std::vector<PatchScores> maps = maps_of(sum.flatten(1), 64, 64);
  for (std::int64_t i = 0; i < 3; ++i) {
    const ScoreMap smooth = gaussian_smooth(maps[static_cast<std::size_t>(i)].map, 4);
    const torch::Tensor made = torch::tensor(smooth.values);
    expect_close(made, at("map.smoothed")[i], 1e-4);
    expect_close(made.max(), at("image_score")[i], 1e-4);
  }
  // in evaluation mode an image's score is free of its batch
  const std::vector<torch::Tensor> alone = {teacher_[0].slice(0, 1, 2), teacher_[1].slice(0, 1, 2),
                                            teacher_[2].slice(0, 1, 2)};
  expect_close(distance_sum(alone, net.decode(net.encode(alone, false), alone, false), 64, 64)[0], sum[1],
               1e-5);
}

TEST_F(ReverseDistillationGolden, TwoStepsOfTraining) {
  ReverseDistillationNetwork net = network();
  net.require_gradients(true);
  const std::vector<torch::Tensor> parameters = net.parameters();
  AdamState adam = AdamState::of(parameters);
  for (std::int64_t step = 0; step < 3; ++step) {
    const std::vector<torch::Tensor> decoded = net.decode(net.encode(teacher_, true), teacher_, true);
    const torch::Tensor loss = reverse_distillation_loss(teacher_, decoded);
    expect_close(loss, at("losses")[step], 1e-3);
    loss.backward();
    for (std::int64_t part = 0; part < 2; ++part) {
      std::vector<torch::Tensor> norms;
      for (const torch::Tensor& p : net.parameters(part == 0 ? "bottleneck." : "decoder."))
        norms.push_back(p.grad().norm());
      expect_close(at::stack(norms).norm(), at("grad_norm")[step][part], step == 0 ? 1e-3 : 1e-2);
    }
    if (step == 0) {
      for (std::size_t l = 0; l < 3; ++l)
        expect_sampled(decoded[l], "decoder_train.layer" + std::to_string(l + 1), 1e-4);
      int seen = 0;
      for (const auto& [name, tensor] : file_.tensors) {
        if (!name.starts_with("gradient.") || !name.ends_with(".sample_index")) continue;
        const std::string weight = name.substr(9, name.size() - 9 - 13);
        expect_sampled(net.parameters(weight).at(0).grad(), "gradient." + weight, 1e-3);
        ++seen;
      }
      EXPECT_EQ(seen, 6);
    }
    adam_step(adam, {.learning_rate = 5e-3, .beta1 = 0.5}, parameters, take_gradients(parameters));
  }
}

/// The published counts, of which conv4 and bn4, which nothing reads, are left out.
TEST(ReverseDistillation, HasThePublishedParameters) {
  const std::int64_t bottleneck_norms = 5 * 512 + 128 + 2 * 256, decoder_norms = 5 * (256 + 128 + 64);
  EXPECT_EQ(ReverseDistillationNetwork::bytes(backbone_spec("compact")),
            4 * (11'680'000 + 3'703'168 + 2 * (bottleneck_norms + decoder_norms)));
}

/// A teacher with few channels inside its blocks, whose maps are made of the picture by a formula.
class SmallTeacher : public FeatureExtractor {
 public:
  SmallTeacher() {
    spec_.name = "small";
    spec_.blocks = {1, 1, 1};
    spec_.width = {4, 8, 16};
    spec_.bottleneck = true;
  }
  const BackboneSpec& spec() const override { return spec_; }
  Precision precision() const override { return Precision::kFloat32; }
  Engine engine() const override { return Engine::kTorch; }
  DeviceChoice place() const override { return DeviceChoice::kCpu; }
  std::vector<HostBuffer> maps(const std::vector<RgbImage>& images,
                               const std::vector<int>& layers) const override {
    const torch::Tensor pixels = images_to_tensor(images, kImageNetMean, kImageNetStd).mean({1}, true);
    std::vector<HostBuffer> out;
    for (const int layer : layers) {
      const torch::Tensor channel = torch::arange(spec_.channels(layer)).reshape({1, -1, 1, 1});
      out.push_back(share_buffer(at::relu(at::avg_pool2d(pixels, 2 << layer) + (channel * 0.7).sin())));
    }
    return out;
  }
  std::vector<HostBuffer> tokens(const std::vector<RgbImage>&, const std::vector<int>&) const override {
    return {};
  }

 private:
  BackboneSpec spec_;
};

TEST(ReverseDistillation, BeginsWithThePublishedValues) {
  const ReverseDistillationNetwork net = ReverseDistillationNetwork::initial(SmallTeacher().spec(), 1);
  const torch::Tensor plain = net.parameters("bottleneck.conv1.weight").at(0);
  EXPECT_NEAR(plain.std().item<double>(), std::sqrt(2.0 / (128 * 9)), 1e-3);
  // torch's default of a transposed convolution: uniform within 1 / sqrt(its second size * 4)
  const torch::Tensor enlarging = net.parameters("decoder.layer1.0.upsample.0.weight").at(0);
  EXPECT_NEAR(enlarging.abs().max().item<double>(), 1 / std::sqrt(256.0 * 4), 1e-4);
}

TEST(ReverseDistillation, FitsMapsOfAnySize) {
  const torch::NoGradGuard no_grad;
  const ReverseDistillationNetwork net = ReverseDistillationNetwork::initial(SmallTeacher().spec(), 1);
  const std::vector<torch::Tensor> maps = {torch::randn({1, 64, 18, 17}), torch::randn({1, 128, 9, 9}),
                                           torch::randn({1, 256, 5, 5})};
  const torch::Tensor code = net.encode(maps, false);
  EXPECT_EQ(code.sizes(), (std::vector<std::int64_t>{1, 512, 3, 3}));
  const std::vector<torch::Tensor> decoded = net.decode(code, maps, false);
  for (std::size_t l = 0; l < 3; ++l) EXPECT_EQ(decoded[l].sizes(), maps[l].sizes());
}

TEST(ReverseDistillation, LearnsGoesOnBitForBitAndRefusesDamage) {
  const auto teacher = std::make_shared<SmallTeacher>();
  const auto method = make_reverse_distillation();
  OptionTable table;
  method->describe(table);
  for (const char* setting : {"reverse_distillation.meta_epochs=2", "reverse_distillation.passes=1",
                              "reverse_distillation.batch=2"})
    table.set_assignment(setting);
  FitInput input;
  input.images = 3;  // the last batch is a single image
  input.image = [](int image, int) {
    RgbImage picture(64, 64);
    for (std::size_t i = 0; i < picture.pixels.size(); ++i)
      picture.pixels[i] = static_cast<std::uint8_t>((i * static_cast<std::size_t>(7 + image)) % 251);
    return picture;
  };
  input.precision = Precision::kFloat32;
  std::optional<TrainingState> first;
  input.on_meta_epoch = [&](const TrainingState& state) {
    if (state.meta_epoch == 1) first = state;
  };
  const FitResult whole = method->fit(*teacher, input);
  EXPECT_LT(whole.record.series.at(1).value("loss"), whole.record.series.at(0).value("loss"));
  input.resume = first;
  input.on_meta_epoch = {};
  const FitResult resumed = method->fit(*teacher, input);
  ASSERT_EQ(method->weights_of(first->tensors).size(), whole.weights.size());
  for (const auto& [name, tensor] : whole.weights)
    EXPECT_TRUE(to_tensor(tensor).equal(to_tensor(resumed.weights.at(name)))) << name;

  const PatchScores scores = method->load(teacher, whole.weights, "m")->patch_scores({input.image(0, 0)})[0];
  EXPECT_EQ(scores.map.width, 16);
  TensorDict bad = whole.weights;
  for (const auto& [value, why] : {std::pair(-1.0F, "negative variance"), std::pair(NAN, "not finite")}) {
    bad["decoder.layer3.0.upsample.1.running_var"] = from_floats(std::vector<float>(64, value), {64});
    try {
      method->load(teacher, bad, "m.glint");
      ADD_FAILURE() << why;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find("m.glint"), std::string::npos) << e.what();
    }
  }
}

TEST(ReverseDistillation, TheBaselineIsThePublishedRecipeAndTheOthersAreShort) {
  const auto passes = [](Recipe recipe) {
    const auto method = make_reverse_distillation();
    const RecipeDefaults defaults = method->apply_recipe(recipe, backbone_spec("resnet18"));
    EXPECT_EQ(defaults.input.size, 256);
    EXPECT_EQ(defaults.scoring.smoothing_sigma, 4);
    EXPECT_EQ(defaults.scoring.upsampling, Upsampling::kAlignedCorners);
    OptionTable table;
    method->describe(table);
    const nlohmann::json options = table.to_json()["reverse_distillation"];
    EXPECT_EQ(options["batch"], 16);
    InputOptions small;
    small.size = 48;
    EXPECT_THROW(check_method(*method, backbone_spec("resnet18"), small), Error);
    return options["meta_epochs"].get<int>() * options["passes"].get<int>();
  };
  EXPECT_EQ(passes(Recipe::kBaseline), 200);
  EXPECT_LT(passes(Recipe::kRefined), 200);
}

}  // namespace
}  // namespace glint
