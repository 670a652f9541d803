// decision and inspect_image: when a photograph gets a verdict, and when it must not.
#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/error.h"
#include "glint/evaluate/evaluate.h"
#include "glint/fit/fit.h"
#include "glint/image/codec.h"
#include "glint/inspect/open_detector.h"
#include "glint/nn/fused_net.h"
#include "tiny_set.h"

namespace glint {
namespace {

class DecisionTest : public TinySet {};

TEST_F(DecisionTest, TheRecordedThresholdIsTheOneThatDecides) {
  Model model = train("calibration.mode=holdout");
  EXPECT_NO_THROW(make_decision(model));
  const double threshold = model.record["decision"]["threshold"].get<double>();
  for (const nlohmann::json& other :
       {nlohmann::json(threshold * 1.01), nlohmann::json(), nlohmann::json("1")}) {
    model.record["decision"]["threshold"] = other;
    EXPECT_THROW(make_decision(model), Error) << other;
    EXPECT_THROW(make_decision(model, model.scoring, 0.3), Error) << "under another rate as well";
  }
  model.record["decision"]["threshold"] = threshold;
  std::vector<PatchScores> scores = calibration_scores(model);
  scores[0].map.values[0] = 3.6e37F;
  model.calibration_patches = pack_scores(scores);
  EXPECT_THROW(make_decision(model), Error);
}

TEST_F(DecisionTest, AScoreThatIsNoNumberIsNeverAVerdict) {
  Model model = train("calibration.mode=holdout");
  const Decision decision = make_decision(model);
  // finite weights, whose products are not
  for (const char* name : {"discriminator.body.block1.0.weight", "discriminator.tail.weight"}) {
    std::vector<float> values(static_cast<std::size_t>(model.method_weights.at(name).numel()), 3e38F);
    values[0] = -3e38F;
    model.method_weights[name] = from_floats(values, model.method_weights.at(name).shape);
  }
  const Inspector inspector(model, DeviceChoice::kCpu, Precision::kFloat32, "model");
  const Dataset data = dataset();
  EXPECT_THROW(inspect_image(inspector, decision, read_image(data.test[0].path), "part"), Error);
  EvaluateOptions options;
  options.scoring = model.scoring;
  options.false_reject = 0.2;
  try {
    evaluate_model(model, inspector, data, options, false, silent_progress());
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(data.test[0].path.filename().string()), std::string::npos)
        << e.what();
  }
}

TEST_F(DecisionTest, AnotherShapeThanTrainedGetsNoVerdict) {
  const Model model = train("calibration.mode=holdout");
  ASSERT_TRUE(model.photographs);
  EXPECT_EQ(model.photographs->largest_width, 96);
  const Inspector inspector(model, DeviceChoice::kCpu, Precision::kAuto, "model");
  Decision decision = make_decision(model);
  EXPECT_THROW(inspect_image(inspector, decision, RgbImage(192, 96), "part"), Error);
  EXPECT_THROW(inspect_image(inspector, decision, RgbImage(48, 48), "part"), Error);
  EXPECT_NE(inspect_image(inspector, decision, RgbImage(192, 192), "part").notice, "");
  EXPECT_EQ(inspect_image(inspector, decision, RgbImage(96, 96), "part").notice, "");
  decision.photographs.reset();
  EXPECT_NO_THROW(inspect_image(inspector, decision, RgbImage(192, 96), "part"));

  Dataset data = dataset();
  data.test[0].width = 40;
  data.test[1].width = data.test[1].height = 300;
  EvaluateOptions options;
  options.scoring = model.scoring;
  options.false_reject = 0.2;
  data.test.resize(2);
  data.test[0].mask.reset();
  data.test[1].mask.reset();
  std::string warnings;
  for (const std::string& warning :
       evaluate_model(model, inspector, data, options, false, silent_progress()).warnings)
    warnings += warning + "\n";
  EXPECT_NE(warnings.find(data.test[0].id), std::string::npos) << warnings;
  EXPECT_NE(warnings.find(data.test[1].id), std::string::npos) << warnings;
}

TEST_F(DecisionTest, PartsAreJudgedInThePrecisionOfTheCalibration) {
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
    TrainConfig config("simplenet", backbone_, Recipe::kRefined);
    small(config);
    config.table().set_assignment("calibration.mode=holdout");
    config.table().set("train.precision", enum_name(precision));
    const Model model = fit_model(config, dataset(), {}, silent_progress());
    EXPECT_EQ(model.precision, precision);
    const Model back = model_from_file(model_to_file(model), "x");
    EXPECT_EQ(Inspector(back, DeviceChoice::kCpu, Precision::kAuto, "x").precision(), precision);
    EXPECT_EQ(Inspector(back, DeviceChoice::kCpu, Precision::kFloat32, "x").precision(), Precision::kFloat32);
  }
}

TEST_F(DecisionTest, Int8KeepsItsRangesAndSaysWhatItDoesToTheScores) {
  if (!FusedNet::runs_here(Precision::kInt8)) GTEST_SKIP() << "this processor has no VNNI";
  TrainConfig config("simplenet", backbone_, Recipe::kRefined);
  small(config);
  config.table().set_assignment("calibration.mode=holdout");
  config.table().set("train.precision", "int8");
  const Model model = fit_model(config, dataset(), {}, silent_progress());
  EXPECT_EQ(model.engine, Engine::kOneDnn);
  EXPECT_EQ(model.activation_ranges.size(), conv_shapes(backbone_spec(model.backbone.name)).size());
  const nlohmann::json effect = full_record(model).at("arithmetic_effect");
  EXPECT_EQ(effect.at("reference"), "torch float32");
  EXPECT_GE(effect.at("images"), 1);
  EXPECT_GT(effect.at("largest_difference"), 0);
  EXPECT_GE(effect.at("largest_difference"), effect.at("mean_difference"));
  const SafetensorsFile file = model_to_file(model);
  EXPECT_EQ(Inspector(model_from_file(file, "x"), DeviceChoice::kCpu, Precision::kAuto, "x").precision(),
            Precision::kInt8);
  EXPECT_NO_THROW(open_detector(file, "x", {DeviceChoice::kCpu}));
  EXPECT_EQ(model_fingerprint(model), model_fingerprint(fit_model(config, dataset(), {}, silent_progress())));
  Model without = model;
  without.activation_ranges.clear();
  try {
    Inspector(without, DeviceChoice::kCpu, Precision::kAuto, "part.glint");
    ADD_FAILURE() << "int8 without ranges";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("part.glint"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("'conv1'"), std::string::npos) << e.what();
  }
  config.table().set("train.engine", "torch");
  EXPECT_THROW(fit_model(config, dataset(), {}, silent_progress()), Error);
}

TEST_F(DecisionTest, PartsAreJudgedByTheEngineOfTheCalibration) {
  for (const Engine engine : {Engine::kTorch, Engine::kOneDnn}) {
    TrainConfig config("simplenet", backbone_, Recipe::kRefined);
    small(config);
    config.table().set_assignment("calibration.mode=holdout");
    config.table().set("train.precision", "float32");
    config.table().set("train.engine", enum_name(engine));
    const Model model = fit_model(config, dataset(), {}, silent_progress());
    EXPECT_EQ(model.engine, engine);
    EXPECT_EQ(model.record.contains("arithmetic_effect"), engine == Engine::kOneDnn);
    const Model back = model_from_file(model_to_file(model), "x");
    EXPECT_EQ(back.engine, engine);
    EXPECT_EQ(Inspector(back, DeviceChoice::kCpu, Precision::kAuto, "x").deviation(), "");
    const std::string other = Inspector(back, DeviceChoice::kCpu, Precision::kBFloat16, "x").deviation();
    EXPECT_NE(other.find(enum_name(engine)), std::string::npos) << other;
    SafetensorsFile file = model_to_file(model);
    // the last place: an option of the training has the same name
    const std::string mine = fmt::format("\"engine\":\"{}\"", enum_name(engine));
    for (auto& [key, value] : file.metadata) {
      if (const auto at = value.rfind(mine); at != std::string::npos)
        value.replace(at, mine.size(), "\"engine\":\"abacus\"");
    }
    add_checksum(file);
    try {
      model_from_file(file, "x");
      ADD_FAILURE() << "an unknown engine was taken";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("abacus"), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace glint
