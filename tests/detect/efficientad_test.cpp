#include "glint/detect/efficientad/efficientad.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <optional>

#include "glint/base/error.h"
#include "glint/detect/efficientad/losses.h"
#include "glint/detect/efficientad/network.h"
#include "glint/detect/efficientad/pictures.h"
#include "glint/detect/efficientad/teacher.h"
#include "glint/detect/patch_features.h"
#include "glint/image/resample.h"
#include "glint/nn/adam.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "golden_weights.h"
#include "tensor_compare.h"

namespace glint {
namespace {

class EfficientAdGolden : public ::testing::Test {
 protected:
  torch::Tensor at(const std::string& name) const { return to_tensor(file_.tensors.at(name)); }

  /// [1, 3, side, side] of the file's formula.
  torch::Tensor picture(double phase, std::int64_t side = 256) const {
    const double seed = std::stod(file_.metadata.at("seed"));
    const torch::Tensor j = torch::arange(3 * side * side, torch::kDouble);
    return at::sin(0.013 * j + 0.5 * at::cos(0.0007 * j) + (phase + 0.2 * seed))
        .to(torch::kFloat)
        .reshape({1, 3, side, side});
  }

  DescriptionNetwork description(const std::string& net, DescriptionSize size, int outputs,
                                 std::uint32_t more_seed = 0) {
    SafetensorsFile file = file_;
    file.metadata["seed"] = std::to_string(std::stoul(file_.metadata.at("seed")) + more_seed);
    return DescriptionNetwork::from_dict({size, outputs}, formula_weights(file, "weights." + net), "golden");
  }

  void expect_sampled(const torch::Tensor& got, const std::string& name, double relative) const {
    const torch::Tensor shape = at(name + ".shape");
    ASSERT_EQ(got.dim(), shape.numel()) << name;
    for (std::int64_t d = 0; d < got.dim(); ++d)
      ASSERT_EQ(got.size(d), shape[d].item<std::int64_t>()) << name;
    const torch::Tensor flat = got.detach().contiguous().flatten();
    expect_close(flat.index_select(0, at(name + ".sample_index")), at(name + ".sample_value"), relative,
                 name);
    const torch::Tensor wide = flat.to(torch::kDouble);
    expect_close(at::stack({wide.mean(), wide.std(false)}), at(name + ".mean_std"), relative,
                 name + ".mean_std");
  }

  SafetensorsFile file_ = golden("efficientad");
};

TEST_F(EfficientAdGolden, DescriptionNetworks) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor pictures = at::cat({picture(0, 64), picture(1, 64)});
  for (const auto& [name, size] :
       {std::pair("pdn_s", DescriptionSize::kSmall), {"pdn_m", DescriptionSize::kMedium}}) {
    const DescriptionNetwork net = description(name, size, 384);
    expect_sampled(net.describe(pictures), name, 1e-4);
    expect_sampled(net.describe(pictures, /*padded=*/true), name + std::string(".padded"), 1e-4);
  }
}

TEST_F(EfficientAdGolden, LossTermsOfSmallTensors) {
  const EfficientAdLosses losses =
      efficientad_losses(at("small.t_st"), at("small.t_ae"), at("small.ae"), at("small.s_st"),
                         at("small.s_ae"), at("small.s_pen"), 0.999);
  const torch::Tensor squares = (at("small.t_st") - at("small.s_st").slice(1, 0, 6)).square();
  const torch::Tensor got = at::stack({torch::tensor(linear_quantile(squares, 0.999)), losses.hard,
                                       losses.penalty, losses.autoencoder, losses.student_autoencoder});
  for (std::int64_t i = 0; i < 5; ++i)
    expect_close(got[i], at("small.terms")[i], 1e-5, "term " + std::to_string(i));
}

TEST_F(EfficientAdGolden, TwoStepsOfTraining) {
  const auto quantile = [&](const torch::Tensor& t, const torch::Tensor& s) {
    return torch::tensor(linear_quantile((t - s.slice(1, 0, 24)).square(), 0.999));
  };
  const DescriptionNetwork teacher = description("teacher", DescriptionSize::kSmall, 24);
  ChannelSums sums;
  torch::Tensor first, jittered;
  {
    const torch::NoGradGuard no_grad;
    first = teacher.describe(picture(0));
    jittered = teacher.describe(picture(1));
    sums.add(first);
    sums.add(teacher.describe(picture(2.5)));
  }
  const ChannelScale scale = sums.scale();
  expect_close(scale.mean, at("teacher_mean"), 1e-4);
  expect_close(scale.std, at("teacher_std"), 1e-4);
  const torch::Tensor t_st = scale.normalised(first), t_ae = scale.normalised(jittered);
  expect_sampled(t_st[0].unsqueeze(0), "teacher_normalised", 1e-4);

  DescriptionNetwork student = description("student", DescriptionSize::kSmall, 48, 40);
  PatchAutoencoder autoencoder =
      PatchAutoencoder::from_dict(24, formula_weights(file_, "weights.autoencoder"), "golden");
  student.require_gradients(true);
  autoencoder.require_gradients(true);
  std::vector<torch::Tensor> parameters = student.parameters();
  for (const torch::Tensor& p : autoencoder.parameters()) parameters.push_back(p);
  AdamState adam = AdamState::of(parameters);
  const torch::Tensor pictures = at::cat({picture(0), picture(1), picture(2)});
  for (std::int64_t step = 0; step < 3; ++step) {
    at::AutoGradMode gradients(step < 2);
    const torch::Tensor s = student.describe(pictures);
    const torch::Tensor a = autoencoder.reconstruct(pictures.slice(0, 1, 2), {56, 56});
    if (step == 0) {
      expect_sampled(s.slice(0, 0, 1), "student", 1e-4);
      expect_sampled(a, "autoencoder", 1e-4);
    }
    const EfficientAdLosses losses =
        efficientad_losses(t_st, t_ae, a, s.slice(0, 0, 1), s.slice(0, 1, 2), s.slice(0, 2), 0.999);
    const torch::Tensor got = at::stack({quantile(t_st, s.slice(0, 0, 1)), losses.hard, losses.penalty,
                                         losses.autoencoder, losses.student_autoencoder, losses.total()});
    for (std::int64_t i = 0; i < 6; ++i)
      expect_close(got[i], at("losses")[step][i], 1e-3, "loss " + std::to_string(i));
    if (step == 2) break;
    losses.total().backward();
    if (step == 0) {
      for (const char* name : {"0.weight", "8.weight"})
        expect_sampled(student.at(name).grad(), std::string("gradient.student.") + name, 1e-3);
      for (const char* name : {"0.weight", "10.weight"})
        expect_sampled(autoencoder.at(name).grad(), std::string("gradient.autoencoder.") + name, 1e-3);
    }
    adam_step(adam, {1e-4, 1e-5}, parameters, take_gradients(parameters));
  }
}

TEST_F(EfficientAdGolden, Maps) {
  const MapScale scale = MapScale::of(at("map.validation_st"), at("map.validation_ae"));
  expect_close(torch::tensor({scale.teacher[0], scale.teacher[1], scale.autoencoder[0], scale.autoencoder[1]},
                             torch::kDouble),
               at("map.quantiles"), 1e-6);
  const torch::Tensor combined = scale.combined({at("map.st").squeeze(1), at("map.ae").squeeze(1)});
  expect_close(combined, at("map.combined"), 1e-5);
  const torch::Tensor bordered = with_border(combined);
  const std::vector<PatchScores> maps = maps_of(bordered.flatten(1), 20, 20);
  for (std::int64_t i = 0; i < 2; ++i) {
    const ScoreMap large = resize_bilinear(maps[static_cast<std::size_t>(i)].map, 70, 50);
    expect_close(torch::tensor(large.values), at("map.final")[i], 1e-5);
    expect_close(torch::tensor(*std::max_element(large.values.begin(), large.values.end())),
                 at("map.image_score")[i], 1e-5);
  }
}

TEST(EfficientAd, QuantileInterpolatesBetweenNeighbours) {
  const torch::Tensor values = torch::tensor({4.0F, 1.0F, 3.0F, 2.0F});
  EXPECT_NEAR(linear_quantile(values, 0), 1, 1e-7);
  EXPECT_NEAR(linear_quantile(values, 0.5), 2.5, 1e-7);
  EXPECT_NEAR(linear_quantile(values, 0.9), 3.7, 1e-6);
  EXPECT_NEAR(linear_quantile(values, 1), 4, 1e-7);
  // 0.1 (m - q_a) / (q_b - q_a), the published scale, of both maps alike
  MapScale scale;
  scale.teacher = scale.autoencoder = {0.2, 0.6};
  const torch::Tensor half = torch::full({1, 2, 2}, 0.5);
  EXPECT_NEAR(scale.combined({half, half}).max().item<double>(), 0.075, 1e-7);
}

TEST(EfficientAd, JitterChangesOneThingAtATime) {
  RgbImage image(2, 1);
  image.pixels = {100, 50, 200, 30, 30, 30};  // greys 82 and 30, mean 56
  EXPECT_EQ(jittered(image, Jitter::kBrightness, 1.2).pixels,
            (std::vector<std::uint8_t>{120, 60, 240, 36, 36, 36}));
  EXPECT_EQ(jittered(image, Jitter::kContrast, 0.5).pixels,
            (std::vector<std::uint8_t>{78, 53, 128, 43, 43, 43}));
  EXPECT_EQ(jittered(image, Jitter::kSaturation, 0).pixels, greyed(image).pixels);
  EXPECT_EQ(greyed(image).pixels, (std::vector<std::uint8_t>{82, 82, 82, 30, 30, 30}));
  EXPECT_EQ(jittered(image, Jitter::kSaturation, 1).pixels, image.pixels);
}

TEST(EfficientAd, TheBaselineIsThePublishedLengthAndTheOthersAreShort) {
  const auto lengths = [](Recipe recipe) {
    const auto method = make_efficientad();
    const RecipeDefaults defaults = method->apply_recipe(recipe, backbone_spec("resnet18"));
    EXPECT_EQ(defaults.input.size, 256);
    EXPECT_EQ(defaults.scoring.smoothing_sigma, 0);
    EXPECT_FALSE(defaults.mild_augmentation);
    OptionTable table;
    method->describe(table);
    const nlohmann::json options = table.to_json()["efficientad"];
    return std::pair(options["meta_epochs"].get<int>() * options["steps"].get<int>(),
                     options["distill_epochs"].get<int>() * options["distill_steps"].get<int>());
  };
  EXPECT_EQ(lengths(Recipe::kBaseline), std::pair(70000, 60000));
  EXPECT_LT(lengths(Recipe::kRefined).first, 7000);
  EXPECT_LT(lengths(Recipe::kRefined).second, 6000);
}

TEST(EfficientAd, SmallInputsAreRefused) {
  const auto refusal = [](int size, double aspect) -> std::string {
    InputOptions input;
    input.size = size;
    input.aspect = aspect;
    try {
      make_efficientad()->validate(backbone_spec("resnet18"), input);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kConfig);
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(refusal(256, 1), "");
  EXPECT_EQ(refusal(512, 4), "");
  EXPECT_NE(refusal(224, 1).find("input.size"), std::string::npos);
  EXPECT_NE(refusal(256, 2).find("input.size"), std::string::npos);
}

/// Maps that depend on the picture's own colours, with as many channels as the network that it says it is.
class ColourMaps : public FeatureExtractor {
 public:
  explicit ColourMaps(std::string name = "resnet18") : name_(std::move(name)) {}
  const BackboneSpec& spec() const override { return backbone_spec(name_); }
  Precision precision() const override { return Precision::kFloat32; }
  Engine engine() const override { return Engine::kTorch; }
  DeviceChoice place() const override { return DeviceChoice::kCpu; }
  std::vector<HostBuffer> maps(const std::vector<RgbImage>& images,
                               const std::vector<int>& layers) const override {
    const torch::Tensor x = images_to_tensor(images, kImageNetMean, kImageNetStd);
    std::vector<HostBuffer> out;
    for (const int layer : layers) {
      const std::int64_t cell = 2 << layer;
      const torch::Tensor pooled = at::avg_pool2d(x, {cell, cell});
      const std::int64_t repeats = (spec().channels(layer) + 2) / 3;
      out.push_back(
          share_buffer(pooled.repeat({1, repeats, 1, 1}).slice(1, 0, spec().channels(layer)).contiguous()));
    }
    return out;
  }
  std::vector<HostBuffer> tokens(const std::vector<RgbImage>&, const std::vector<int>&) const override {
    fail(ErrorCode::kConfig, "no tokens");
  }

 private:
  std::string name_;
};

/// Stripes on a gradient, a little different each time.
RgbImage striped(std::uint64_t seed, int side = 256) {
  Rng rng(seed);
  const double period = rng.uniform(14, 18), shift = rng.uniform(0, 20);
  RgbImage image(side, side);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const double wave = 60 * std::sin((x + shift) / period) + 100 + 0.2 * y;
      for (int c = 0; c < 3; ++c) image.at(x, y)[c] = static_cast<std::uint8_t>(wave + 15 * c);
    }
  }
  return image;
}

TEST(EfficientAd, TargetsHaveTheTeachersChannelsOnAQuarterOfThePicture) {
  for (const char* backbone : {"resnet18", "resnet50"}) {
    const torch::Tensor targets = teacher_targets(ColourMaps(backbone), {striped(1, 64), striped(2, 64)});
    EXPECT_EQ(targets.sizes(), (std::vector<std::int64_t>{2, kTeacherChannels, 16, 16})) << backbone;
  }
}

/// A narrow network and few steps: for tests of the chain, not of its quality.
class EfficientAdTraining : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    method_ = make_efficientad();
    method_->apply_recipe(Recipe::kRefined, backbone_spec("resnet18"));
    OptionTable table;
    method_->describe(table);
    for (const char* setting :
         {"efficientad.width=0.125", "efficientad.meta_epochs=2", "efficientad.steps=1",
          "efficientad.learning_rate=0.001", "efficientad.distill_epochs=2", "efficientad.distill_steps=2",
          "efficientad.distill_batch=2", "efficientad.distill_learning_rate=0.01"}) {
      table.set_assignment(setting);
    }
    input_ = FitInput{};
    input_.images = 3;
    input_.image = [](int i, int) { return striped(static_cast<std::uint64_t>(i)); };
    input_.textures = {5, [](int i) { return striped(100 + static_cast<std::uint64_t>(i)); }};
    input_.normalisation = {striped(50), striped(51)};
    input_.held_out = {striped(60)};
    input_.seed = 5;
    input_.precision = Precision::kFloat32;
    FitInput whole = input_;
    whole.on_meta_epoch = [](const TrainingState& state) { states_.push_back(state); };
    result_ = method_->fit(ColourMaps(), whole);
  }
  static void TearDownTestSuite() {
    method_.reset();
    states_.clear();
    result_ = {};
  }

  static std::unique_ptr<Detector> load(const TensorDict& weights) {
    return method_->load(std::make_shared<ColourMaps>(), weights, "m.glint");
  }

  inline static std::unique_ptr<Method> method_;
  inline static FitInput input_;
  inline static std::vector<TrainingState> states_;
  inline static FitResult result_;
};

TEST_F(EfficientAdTraining, ResumesBitForBitInBothParts) {
  ASSERT_EQ(states_.size(), 4U);
  for (const std::size_t i : {0U, 1U, 2U}) {
    EXPECT_EQ(states_[i].meta_epoch, static_cast<int>(i) + 1);
    EXPECT_EQ(states_[i].usable, i >= 2) << i;  // a teacher alone judges nothing
    FitInput rest = input_;
    rest.resume = states_[i];
    const FitResult resumed = method_->fit(ColourMaps(), rest);
    ASSERT_EQ(resumed.weights.size(), result_.weights.size());
    for (const auto& [name, tensor] : result_.weights)
      ASSERT_EQ(resumed.weights.at(name).data, tensor.data) << i << " " << name;
    ASSERT_EQ(resumed.record.series.size(), 2U);
    EXPECT_EQ(resumed.record.series[1].values, result_.record.series[1].values);
    ASSERT_EQ(resumed.record.parts.size(), 1U);
    EXPECT_EQ(resumed.record.parts[0].series[1].values, result_.record.parts[0].series[1].values);
  }
  const TensorDict kept = method_->weights_of(states_.back().tensors);
  ASSERT_EQ(kept.size(), result_.weights.size());
  for (const auto& [name, tensor] : result_.weights) EXPECT_EQ(kept.at(name).data, tensor.data) << name;
}

TEST_F(EfficientAdTraining, SaysWhatItsTeacherIs) {
  const TrainingRecord& record = result_.record;
  EXPECT_NE(std::get<std::string>(record.figures.at("teacher")).find("distilled from the backbone"),
            std::string::npos);
  EXPECT_EQ(std::get<std::string>(record.figures.at("teacher_length")),
            "8 pictures; published: 960000: a short recipe");
  EXPECT_EQ(std::get<std::string>(record.figures.at("length")),
            "2 steps of one picture; published: 70000: a short recipe");
  const TrainingRecord& teacher = record.parts.at(0);
  EXPECT_EQ(teacher.name, "teacher");
  EXPECT_LT(teacher.series[1].value("unexplained"), teacher.series[0].value("unexplained"));
  EXPECT_EQ(std::get<double>(record.figures.at("teacher_unexplained_share")),
            teacher.series[1].value("unexplained"));
  EXPECT_GT(record.series[0].value("penalty_loss"), 0);
}

TEST_F(EfficientAdTraining, JudgesEachInputByItself) {
  const auto detector = load(result_.weights);
  RgbImage defective = striped(50);
  for (int y = 120; y < 150; ++y) {
    for (int x = 100; x < 160; ++x) defective.at(x, y)[0] = static_cast<std::uint8_t>(x % 2 == 0 ? 255 : 0);
  }
  const auto both = detector->patch_scores({striped(50), defective});
  const auto alone = detector->patch_scores({defective});
  ASSERT_EQ(both[1].map.width, 64);
  ASSERT_EQ(both[1].map.height, 64);
  double inside = -1e9, outside = -1e9;
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      const auto i = static_cast<std::size_t>(y * 64 + x);
      if (x < 4 || y < 4 || x >= 60 || y >= 60) {
        EXPECT_EQ(both[1].map.values[i], 0);
      }
      ASSERT_NEAR(both[1].map.values[i], alone[0].map.values[i], 1e-3);
      const double more = both[1].map.values[i] - both[0].map.values[i];
      double& most = x >= 22 && x <= 42 && y >= 27 && y <= 40 ? inside : outside;
      most = std::max(most, std::abs(more));
    }
  }
  EXPECT_GT(inside, outside);
}

TEST_F(EfficientAdTraining, ADamagedModelIsRefused) {
  const auto refused = [&](const std::string& name, const std::optional<HostTensor>& value) {
    TensorDict bad = result_.weights;
    bad.erase(name);
    if (value) bad[name] = *value;
    try {
      load(bad);
      ADD_FAILURE() << name;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kBadInput);
      EXPECT_NE(std::string(e.what()).find(name), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find("m.glint"), std::string::npos) << e.what();
    }
  };
  const auto changed = [&](const std::string& name, float first) {
    HostTensor t = result_.weights.at(name);
    std::memcpy(t.data.data(), &first, sizeof first);
    return t;
  };
  for (const char* name :
       {"teacher.0.weight", "student.8.bias", "autoencoder.10.weight", "teacher_output.mean"}) {
    refused(name, std::nullopt);
    refused(name, changed(name, NAN));
    refused(name, from_floats({1, 2}, {2}));
  }
  refused("teacher_output.std", changed("teacher_output.std", 0));
  const auto numbers = [](std::vector<double> v) { return to_host(torch::tensor(v, torch::kDouble)); };
  refused("map_quantiles", std::nullopt);
  refused("map_quantiles", numbers({0, 1, 2}));
  refused("map_quantiles", numbers({0.2, 0.1, 0, 1}));
  refused("map_quantiles", numbers({0, 1, 0, NAN}));
}

}  // namespace
}  // namespace glint
