#include "glint/detect/stfpm/stfpm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "glint/base/error.h"
#include "glint/detect/stfpm/matching.h"
#include "glint/detect/trainable_resnet.h"
#include "glint/nn/backbone_store.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "tensor_compare.h"

namespace glint {
namespace {

TEST(Stfpm, LossGradientsAndMapAreTheGoldens) {
  const SafetensorsFile file = golden("stfpm");
  const auto at = [&](const std::string& name) { return to_tensor(file.tensors.at(name)); };
  std::vector<torch::Tensor> teacher, student;
  for (const char* layer : {"layer1", "layer2", "layer3"}) {
    teacher.push_back(at(std::string("teacher.") + layer).to(torch::kDouble));
    student.push_back(at(std::string("student.") + layer).to(torch::kDouble).requires_grad_(true));
  }
  const std::vector<torch::Tensor> distances = unit_distances(teacher, student);
  const torch::Tensor loss = stfpm_loss(distances);
  expect_close(loss, at("loss"), 1e-6);
  loss.backward();
  for (std::int64_t l = 0; l < 3; ++l) {
    const auto k = static_cast<std::size_t>(l);
    const std::string layer = "layer" + std::to_string(l + 1);
    expect_close(distances[k], at("distance." + layer), 1e-6, layer);
    expect_close(distances[k].mean(), at("loss_layers")[l], 1e-6, layer);
    expect_close(student[k].grad(), at("gradient." + layer), 1e-6, layer);
  }
  const torch::Tensor map = product_map(distances, 48, 48);
  expect_close(map, at("map"), 1e-6);
  expect_close(map.flatten(1).amax(1), at("image_score"), 1e-6);
}

TEST(Stfpm, TheDistanceIgnoresLengthsAndBearsZeros) {
  const torch::Tensor t = torch::tensor({1.0, 0.0}).reshape({1, 2, 1, 1});
  const torch::Tensor s = torch::tensor({3.0, 4.0}).reshape({1, 2, 1, 1});
  EXPECT_NEAR(unit_distance(t, s).item<double>(), 0.8, 1e-6);
  EXPECT_NEAR(unit_distance(t, 7 * t).item<double>(), 0, 1e-6);
  EXPECT_NEAR(unit_distance(t, 0 * s).item<double>(), 1, 1e-6);
}

/// Training data of eight textured pictures of 64 x 64.
FitInput small_input(int images) {
  FitInput input;
  input.images = images;
  input.image = [](int image, int) {
    RgbImage picture(64, 64);
    for (std::size_t i = 0; i < picture.pixels.size(); ++i)
      picture.pixels[i] = static_cast<std::uint8_t>((i * static_cast<std::size_t>(7 + image)) % 251);
    return picture;
  };
  for (int i = 10; i < 12; ++i) input.normalisation.push_back(input.image(i, 0));
  input.precision = Precision::kFloat32;
  return input;
}

class StfpmTraining : public ::testing::Test {
 protected:
  static std::unique_ptr<Method> method(const std::vector<std::string>& settings) {
    auto out = make_stfpm();
    OptionTable table;
    out->describe(table);
    for (const char* setting : {"stfpm.meta_epochs=3", "stfpm.batch=4"}) table.set_assignment(setting);
    for (const std::string& setting : settings) table.set_assignment(setting);
    return out;
  }
  std::shared_ptr<const Backbone> teacher_ = [] {
    auto backbone = std::make_shared<Backbone>(open_backbone("compact"));
    backbone->to(DeviceChoice::kCpu, Precision::kFloat32);
    return backbone;
  }();
};

TEST_F(StfpmTraining, KeepsTheMetaEpochWithTheSmallestErrorAndGoesOnBitForBit) {
  FitInput input = small_input(6);
  std::optional<TrainingState> after_first;
  input.on_meta_epoch = [&](const TrainingState& state) {
    if (state.meta_epoch == 1) after_first = state;
  };
  const auto stfpm = method({});
  const FitResult whole = stfpm->fit(*teacher_, input);
  ASSERT_EQ(whole.record.series.size(), 3U);
  EXPECT_LT(whole.record.series[2].value("loss"), whole.record.series[0].value("loss"));
  int best = 0;
  for (int i = 1; i < 3; ++i) {
    if (whole.record.series[i].value("selection_loss") < whole.record.series[best].value("selection_loss"))
      best = i;
  }
  EXPECT_EQ(std::get<std::int64_t>(whole.record.figures.at("kept_meta_epoch")), best + 1);

  input.resume = after_first;
  input.on_meta_epoch = {};
  const FitResult resumed = stfpm->fit(*teacher_, input);
  ASSERT_EQ(resumed.weights.size(), whole.weights.size());
  for (const auto& [name, tensor] : whole.weights)
    EXPECT_EQ(to_floats(tensor), to_floats(resumed.weights.at(name))) << name;
  // the state holds a detector without what only training needs
  const TensorDict kept = stfpm->weights_of(after_first->tensors);
  EXPECT_EQ(kept.size(), whole.weights.size());

  // the map falls where the student has learnt
  const RgbImage picture = input.image(0, 0);
  const auto mean = [](const PatchScores& s) {
    double sum = 0;
    for (const float v : s.map.values) sum += v;
    return sum / static_cast<double>(s.map.values.size());
  };
  const double first = mean(stfpm->load(teacher_, kept, "m")->patch_scores({picture})[0]);
  const PatchScores last = stfpm->load(teacher_, whole.weights, "m")->patch_scores({picture})[0];
  EXPECT_EQ(last.map.width, 16);
  EXPECT_LT(mean(last), first);
}

TEST_F(StfpmTraining, ADamagedModelIsRefused) {
  NetLayout layout;
  const TensorDict good = TrainableNet::initial(add_resnet(layout, resnet_shape(backbone_spec("compact"), 3)),
                                                InitialWeights::kKaiming, 1, "stfpm_test")
                              .to_dict("student.");
  const auto stfpm = method({});
  EXPECT_NE(stfpm->load(teacher_, good, "m.glint"), nullptr);
  const auto refused = [&](const std::string& name, const HostTensor& value, const std::string& why) {
    TensorDict bad = good;
    bad[name] = value;
    try {
      stfpm->load(teacher_, bad, "m.glint");
      ADD_FAILURE() << why;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find("m.glint"), std::string::npos) << e.what();
    }
  };
  refused("student.bn1.running_var", from_floats(std::vector<float>(64, -1), {64}), "negative variance");
  refused("student.layer3.1.bn2.bias", from_floats(std::vector<float>(256, NAN), {256}), "not finite");
  refused("student.conv1.weight", from_floats({1}, {1}), "student.conv1.weight");
}

TEST(Stfpm, TheRecipesArePublishedAndTheSelectionCanBeLeftOut) {
  for (const Recipe recipe : {Recipe::kBaseline, Recipe::kRefined}) {
    const auto method = make_stfpm();
    const RecipeDefaults defaults = method->apply_recipe(recipe, backbone_spec("resnet18"));
    EXPECT_EQ(defaults.input.size, 256);
    EXPECT_EQ(defaults.scoring.smoothing_sigma, 0);
    OptionTable table;
    method->describe(table);
    const nlohmann::json options = table.to_json()["stfpm"];
    EXPECT_EQ(options["meta_epochs"].get<int>() * options["passes"].get<int>(), 100);
    EXPECT_EQ(options["learning_rate"], 0.4);
    EXPECT_EQ(method->needs().normalisation_share, 0.2);
    table.set_assignment("stfpm.selection_share=0");
    EXPECT_EQ(method->needs().normalisation_share, 0);
  }
}

}  // namespace
}  // namespace glint
