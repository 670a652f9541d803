// fit, decision and evaluate on a tiny rendered set with a random network: the chain, not the quality.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "eval/tiny_set.h"
#include "glint/base/error.h"
#include "glint/eval/compare.h"
#include "glint/eval/evaluate.h"
#include "glint/eval/fit.h"
#include "glint/image/codec.h"
#include "glint/nn/safetensors.h"
#include "glint/report/compare_report.h"
#include "glint/report/evaluation_report.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

class EvalTest : public TinySet {};

TEST_F(EvalTest, SameSeedSameModelBitForBit) {
  const Model a = train("calibration.mode=holdout"), b = train("calibration.mode=holdout");
  EXPECT_EQ(model_fingerprint(a), model_fingerprint(b));
  EXPECT_NE(model_fingerprint(a), model_fingerprint(train("train.seed=1")));
}

TEST_F(EvalTest, ResumedRunEqualsUninterrupted) {
  const Model whole = train("calibration.mode=holdout");
  FitOptions options;
  options.state = folder_->path() / "resume";
  {
    // interrupted after the first meta-epoch: the state file is what a killed process leaves behind
    TrainConfig config("simplenet", backbone_, Recipe::kRefined);
    small(config);
    config.table().set_assignment("calibration.mode=holdout");
    class StopAfterFirst : public ProgressSink {
     public:
      explicit StopAfterFirst(fs::path state) : state_(std::move(state)) {}
      void begin(const std::string&, std::int64_t) override {}
      void advance(std::int64_t, const std::string&) override {
        if (fs::exists(state_)) throw Error(ErrorCode::kCancelled, "stop");
      }
      void end() override {}
      void message(const std::string&) override {}

     private:
      fs::path state_;
    } sink(options.state);
    EXPECT_THROW(fit_model(config, dataset(), options, sink), Error);
  }
  ASSERT_TRUE(fs::exists(options.state));
  options.resume = true;
  const Model resumed = train("calibration.mode=holdout", options);
  EXPECT_EQ(model_fingerprint(resumed), model_fingerprint(whole));
  EXPECT_TRUE(fs::exists(options.state)) << "until the model is written";
  options.out = folder_->path() / "resumed.glint";
  save_trained(resumed, options);
  EXPECT_FALSE(fs::exists(options.state));
  EXPECT_EQ(model_fingerprint(load_model(options.out)), model_fingerprint(whole));
}

/// Counts the steps of training, and fails on the first one when told so.
class CountSteps : public ProgressSink {
 public:
  void begin(const std::string& label, std::int64_t) override { training_ = label == "training"; }
  void advance(std::int64_t, const std::string&) override { steps += training_ ? 1 : 0; }
  void end() override { training_ = false; }
  void message(const std::string&) override {}
  int steps = 0;

 private:
  bool training_ = false;
};

int steps_of(const FitOptions& options, const std::string& backbone, const Dataset& dataset) {
  const auto config = tiny("simplenet", backbone);
  CountSteps sink;
  try {
    fit_model(*config, dataset, options, sink);
  } catch (const Error&) {
  }
  return sink.steps;
}

TEST_F(EvalTest, AModelThatCannotBeWrittenLosesNoTraining) {
  FitOptions options;
  options.out = folder_->path() / "lost" / "m.glint";
  options.state = folder_->path() / "lost" / "m.glint.resume";
  const auto config = tiny("simplenet", backbone_);
  const Model whole = fit_model(*config, dataset(), options, silent_progress());
  fs::create_directory(options.out);  // what a full disk does, too: the last write fails
  try {
    save_trained(whole, options);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("--resume"), std::string::npos) << e.what();
  }
  ASSERT_TRUE(fs::exists(options.state));
  EXPECT_EQ(steps_of(options, backbone_, dataset()), 0) << "is refused before it trains";
  fs::remove(options.out);
  EXPECT_GT(steps_of(options, backbone_, dataset()), 0) << "the count counts";
  options.resume = true;
  EXPECT_EQ(steps_of(options, backbone_, dataset()), 0) << "nothing is trained again";
}

TEST_F(EvalTest, WhatCannotBeWrittenIsRefusedBeforeTraining) {
  const Dataset data = dataset();
  const fs::path folder = folder_->path() / "refused";
  fs::create_directories(folder / "directory");
  write_text(folder / "file", "x");
  FitOptions good;
  good.out = folder / "m.glint";
  for (const fs::path& out :
       {folder / "directory", folder / "new" / "", folder / "file" / "m.glint", data.train[3].path,
        *std::find_if(data.test.begin(), data.test.end(), [](const Sample& s) { return s.mask; })->mask,
        folder / std::string(300, 'x')}) {
    FitOptions options;
    options.out = out;
    EXPECT_EQ(steps_of(options, backbone_, data), 0) << out;
    options = good;
    options.state = out;
    EXPECT_EQ(steps_of(options, backbone_, data), 0) << out;
  }
  FitOptions options = good;
  options.epochs = folder / "file";
  EXPECT_EQ(steps_of(options, backbone_, data), 0);
  EXPECT_GT(steps_of(good, backbone_, data), 0) << "the count counts";
  EXPECT_EQ(read_text(folder / "file"), "x");
}

TEST_F(EvalTest, NamesThatAreNoUtf8TrainAndLoad) {
  Dataset data = dataset();
  data.train[0].id = "train/good/z\xfc.png";
  data.categories = {"S\xe4tze"};
  const auto config = tiny("simplenet", backbone_);
  FitOptions options;
  options.out = folder_->path() / "latin.glint";
  save_trained(fit_model(*config, data, options, silent_progress()), options);
  EXPECT_NE(load_model(options.out).record.dump().find("z\\\\xFC.png"), std::string::npos);
}

TEST_F(EvalTest, DamagedFilesOfATrainingAreRefused) {
  FitOptions options;
  options.state = folder_->path() / "damaged.resume";
  train("calibration.mode=holdout", options);
  options.resume = true;
  EXPECT_THROW(train("train.seed=7", options), Error) << "another run";
  Bytes bytes = read_file(options.state);
  bytes[bytes.size() / 2] ^= std::byte{1};
  write_file(options.state, bytes);
  EXPECT_THROW(train("calibration.mode=holdout", options), Error);
}

TEST_F(EvalTest, TheRecordedThresholdIsTheOneThatDecides) {
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
  model.calibration_patches = pack_calibration(scores);
  EXPECT_THROW(make_decision(model), Error);
}

TEST_F(EvalTest, AScoreThatIsNoNumberIsNeverAVerdict) {
  Model model = train("calibration.mode=holdout");
  const Decision decision = make_decision(model);
  // finite weights, whose products are not
  for (const char* name : {"discriminator.body.block1.0.weight", "discriminator.tail.weight"}) {
    std::vector<float> values(static_cast<std::size_t>(model.method_weights.at(name).numel()), 3e38F);
    values[0] = -3e38F;
    model.method_weights[name] = from_floats(values, model.method_weights.at(name).shape);
  }
  const Inspector inspector(model, torch::kCPU, Precision::kFloat32, "model");
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

TEST_F(EvalTest, AnotherShapeThanTrainedGetsNoVerdict) {
  const Model model = train("calibration.mode=holdout");
  ASSERT_TRUE(model.photographs);
  EXPECT_EQ(model.photographs->largest_width, 96);
  const Inspector inspector(model, torch::kCPU, Precision::kAuto, "model");
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

TEST_F(EvalTest, PartsAreJudgedInThePrecisionOfTheCalibration) {
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
    TrainConfig config("simplenet", backbone_, Recipe::kRefined);
    small(config);
    config.table().set_assignment("calibration.mode=holdout");
    config.table().set("train.precision", enum_name(precision));
    const Model model = fit_model(config, dataset(), {}, silent_progress());
    EXPECT_EQ(model.precision, precision);
    const Model back = model_from_file(model_to_file(model), "x");
    EXPECT_EQ(Inspector(back, torch::kCPU, Precision::kAuto, "x").precision(), precision);
    EXPECT_EQ(Inspector(back, torch::kCPU, Precision::kFloat32, "x").precision(), Precision::kFloat32);
  }
}

TEST_F(EvalTest, TheIdentityOfARunSeesItsPrecision) {
  const auto identity = [](const char* precision) {
    TrainConfig config("simplenet", backbone_, Recipe::kRefined);
    small(config);
    config.table().set("train.precision", precision);
    return run_identity(config, dataset());
  };
  EXPECT_NE(identity("float32"), identity("bfloat16"));
  EXPECT_EQ(identity("float32"), identity("float32"));
}

TEST_F(EvalTest, CalibrationNeverSeesTrainingImages) {
  const Model model = train("calibration.mode=holdout");
  int calibrating = 0;
  for (const auto& image : model.record["dataset"]["images"]) calibrating += image["role"] == "calibration";
  EXPECT_EQ(calibrating, 6);
  EXPECT_EQ(calibration_scores(model).size(), 6U);
  const Model cross = train("calibration.mode=crossfit");
  EXPECT_EQ(calibration_scores(cross).size(), 24U);
  EXPECT_NE(cross.record["decision"]["guarantee"].get<std::string>().find("cross-conformal"),
            std::string::npos);
}

TEST_F(EvalTest, RefusesAnImpossibleRateBeforeTraining) {
  EXPECT_THROW(train("calibration.false_reject=0.001"), Error);
}

TEST_F(EvalTest, EvaluatesReportsAndDecides) {
  const Model model = train("calibration.mode=holdout");
  const Inspector inspector(model, torch::kCPU, Precision::kFloat32, "model");
  EvaluateOptions options;
  options.scoring = model.scoring;
  options.false_reject = 0.2;
  const Dataset data = dataset();
  const Evaluation e = evaluate_model(model, inspector, data, options, false, silent_progress());
  EXPECT_EQ(e.images.size(), 10U);
  EXPECT_EQ(e.classes.front().label, "good");
  EXPECT_TRUE(std::isfinite(e.pixel.aupro.value));
  EXPECT_FALSE(e.warnings.empty()) << "ten test images deserve a warning";
  const auto json = results_json(e, model, data);
  for (const char* key :
       {"image_auroc", "pixel_auroc", "aupro", "image_ap", "pixel_ap", "image_f1max", "pixel_f1max"}) {
    EXPECT_TRUE(json.at(key).contains("ci_low")) << key;
  }
  const std::string html = evaluation_report(e, model, data, inspector, "");
  EXPECT_NE(html.find("</html>"), std::string::npos);
  EXPECT_EQ(html.find("http://"), std::string::npos);
  EXPECT_EQ(html.find("https://"), std::string::npos) << "the report must not need a network";
  for (const ScoredImage& image : e.images)
    EXPECT_EQ(image.rejected, image.score > e.decision.conformal.threshold);
}

TEST_F(EvalTest, TestImagesThatTheModelTrainedOnAreRefused) {
  const Model model = train("calibration.mode=holdout");
  Dataset data = dataset();
  data.test[0].sha256 = data.train[0].sha256;
  const Inspector inspector(model, torch::kCPU, Precision::kFloat32, "model");
  EvaluateOptions options;
  options.false_reject = 0.2;
  EXPECT_THROW(evaluate_model(model, inspector, data, options, false, silent_progress()), Error);
  EXPECT_EQ(evaluate_model(model, inspector, data, options, true, silent_progress()).leaked.size(), 1U);
}

class OtherMethods : public EvalTest, public ::testing::WithParamInterface<const char*> {};
TEST_P(OtherMethods, TrainResumeSaveLoadAndDecide) {
  const auto config = tiny(GetParam(), backbone_);
  const Model whole = fit_model(*config, dataset(), {}, silent_progress());
  // interrupted after every meta-epoch, and resumed each time
  FitOptions options;
  options.state = folder_->path() / (std::string(GetParam()) + ".resume");
  options.resume = true;
  class StopAfterState : public ProgressSink {
   public:
    explicit StopAfterState(fs::path state) : state_(std::move(state)) {}
    void begin(const std::string&, std::int64_t) override {
      seen_ = fs::exists(state_) ? fs::last_write_time(state_) : fs::file_time_type::min();
    }
    void advance(std::int64_t, const std::string&) override {
      if (fs::exists(state_) && fs::last_write_time(state_) != seen_)
        throw Error(ErrorCode::kCancelled, "stop");
    }
    void end() override {}
    void message(const std::string&) override {}

   private:
    fs::path state_;
    fs::file_time_type seen_;
  } stop(options.state);
  std::optional<Model> resumed;
  int interruptions = 0;
  while (!resumed) {
    ASSERT_LT(interruptions, 10);
    try {
      resumed = fit_model(*tiny(GetParam(), backbone_), dataset(), options, stop);
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), ErrorCode::kCancelled) << e.what();
      ++interruptions;
    }
  }
  EXPECT_GE(interruptions, 1);
  EXPECT_EQ(model_fingerprint(*resumed), model_fingerprint(whole));

  const fs::path file = folder_->path() / "other.glint";
  save_model(whole, file);
  const Model back = load_model(file);
  const Inspector inspector(back, torch::kCPU, Precision::kFloat32, "model");
  const Decision decision = make_decision(back);
  const Dataset data = dataset();
  const RgbImage photo = read_image(data.test[0].path);
  const InspectionResult result = inspect_image(inspector, decision, photo, "part");
  EXPECT_TRUE(std::isfinite(result.score));
  EXPECT_EQ(result.rejected, result.score > result.threshold);
  EXPECT_EQ(result.map.width, photo.width);
  EvaluateOptions evaluate;
  evaluate.scoring = back.scoring;
  evaluate.false_reject = 0.2;
  const Evaluation e = evaluate_model(back, inspector, data, evaluate, false, silent_progress());
  EXPECT_TRUE(std::isfinite(e.image_auroc.value));
  EXPECT_NE(evaluation_report(e, back, data, inspector, "").find("<h2>Training</h2>"), std::string::npos);
  if (std::string(GetParam()) == "hybrid") {
    EXPECT_EQ(back.calibration_patches.count("decision_scores"), 1U);
    EXPECT_NE(decision.guarantee.find("approximately"), std::string::npos);
  }
}
INSTANTIATE_TEST_SUITE_P(Each, OtherMethods, ::testing::Values("inp_former", "hybrid"));

TEST_F(EvalTest, EnsembleAveragesTheLastMetaEpochs) {
  auto trained = [](int snapshots) {
    const auto config = tiny("simplenet", backbone_);
    config->table().set("simplenet.meta_epochs", 4);
    config->table().set("simplenet.snapshots", snapshots);
    return fit_model(*config, dataset(), {}, silent_progress());
  };
  const Model one = trained(1), three = trained(3);
  EXPECT_EQ(three.method_weights.count("snapshot.001.discriminator.tail.weight"), 1U);
  EXPECT_EQ(three.method_weights.count("snapshot.002.discriminator.tail.weight"), 0U);
  // the last head is the one that trains alone
  EXPECT_EQ(three.method_weights.at("discriminator.tail.weight").data,
            one.method_weights.at("discriminator.tail.weight").data);
  const Inspector inspector(three, torch::kCPU, Precision::kFloat32, "model");
  std::vector<RgbImage> photo = {read_image(dataset().test[0].path)};
  const ScoreMap together = inspector.patch_scores(photo)[0].map;
  std::vector<double> sum(together.values.size(), 0);
  for (const char* part : {"", "snapshot.000.", "snapshot.001."}) {
    Model single = three;
    TensorDict head = *part ? take_prefixed(three.method_weights, part) : three.method_weights;
    std::erase_if(head, [](const auto& entry) { return entry.first.starts_with("snapshot."); });
    head["simplenet.feature_scale"] = three.method_weights.at("simplenet.feature_scale");
    single.method_weights = head;
    const ScoreMap map = Inspector(single, torch::kCPU, Precision::kFloat32, "m").patch_scores(photo)[0].map;
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += map.values[i] / 3;
  }
  for (std::size_t i = 0; i < sum.size(); ++i) ASSERT_NEAR(together.values[i], sum[i], 1e-4);
}

TEST_F(EvalTest, FewShotCalibratesOnEverythingElse) {
  const Model model = train("train.shots=2");
  int training = 0;
  for (const auto& image : model.record["dataset"]["images"]) training += image["role"] == "train";
  EXPECT_EQ(training, 2);
  EXPECT_EQ(calibration_scores(model).size(), 22U);
}

TEST_F(EvalTest, CompareTrainsOnceAndPairsItsDifferences) {
  CompareOptions options;
  options.methods = {"simplenet", "inp_former"};
  options.seeds = 2;
  options.models = folder_->path() / "models";
  options.configure = [](const std::string& method, int seed) { return tiny(method, backbone_, seed); };
  const Comparison first = compare_methods(dataset(), options, silent_progress());
  const auto written = model_times(options.models);
  EXPECT_EQ(written.size(), 4U);
  const Comparison again = compare_methods(dataset(), options, silent_progress());
  EXPECT_EQ(model_times(options.models), written) << "trained again";
  ASSERT_EQ(first.differences.size(), 1U);
  const PairedDifference& d = first.differences[0];
  EXPECT_NEAR(d.image_auroc.value,
              mean_figure(first.methods[0], ArmFigure::kImageAuroc).mean -
                  mean_figure(first.methods[1], ArmFigure::kImageAuroc).mean,
              1e-12);
  EXPECT_LE(d.aupro.ci_low, d.aupro.ci_high);
  EXPECT_EQ(comparison_json(first, dataset())["differences"],
            comparison_json(again, dataset())["differences"]);
  const std::string html = comparison_report(first, dataset());
  EXPECT_NE(html.find("Paired differences"), std::string::npos);
  EXPECT_EQ(html.find("https://"), std::string::npos);
}

/// A full-size DINOv2 small checkpoint of random values, as an importable file.
fs::path random_transformer(const fs::path& folder) {
  TensorDict weights;
  torch::manual_seed(5);
  for (const TensorShape& t : transformer_tensors(*backbone_spec("dinov2reg_vit_small_14").transformer)) {
    const bool norm = t.name.find("norm") != std::string::npos && t.name.ends_with("weight");
    weights[t.name] = to_host(norm ? torch::ones(t.shape) : 0.05 * torch::randn(t.shape));
  }
  write_safetensors(folder / "vits.safetensors", {weights, {}});
  return folder / "vits.safetensors";
}

TEST_F(EvalTest, AFileGivesTheSameDefaultsAsTheNameOfItsNetwork) {
  const std::string file = random_transformer(folder_->path()).string();
  for (const char* method : {"inp_former", "hybrid"}) {
    for (const Recipe recipe : {Recipe::kRefined, Recipe::kBaseline}) {
      EXPECT_EQ(TrainConfig(method, file, recipe).table().to_json(),
                TrainConfig(method, "dinov2reg_vit_small_14", recipe).table().to_json());
      EXPECT_EQ(TrainConfig(method, backbone_, recipe).table().to_json(),
                TrainConfig(method, "resnet18", recipe).table().to_json());
    }
  }
  EXPECT_NE(TrainConfig("inp_former", file, Recipe::kRefined).table().to_json(),
            TrainConfig("inp_former", backbone_, Recipe::kRefined).table().to_json());
}

TEST_F(EvalTest, KeptEpochsAreOneFileEachWithWeightsAlone) {
  for (const char* method : {"simplenet", "hybrid"}) {
    const auto config = tiny(method, backbone_);
    FitOptions options;
    options.epochs = folder_->path() / (std::string(method) + ".epochs");
    options.state = folder_->path() / (std::string(method) + ".state");
    write_safetensors(epoch_file(options.epochs, 9), [] {
      SafetensorsFile of_another_run{{}, {{"identity", "other"}, {"meta_epoch", "9"}}};
      add_checksum(of_another_run);
      return of_another_run;
    }());
    const Model model = fit_model(*config, dataset(), options, silent_progress());
    for (const int epoch : {1, 2}) {
      const TensorDict kept =
          read_safetensors(epoch_file(options.epochs, method[0] == 'h' ? epoch + 2 : epoch)).tensors;
      EXPECT_EQ(kept.size(), model.method_weights.size()) << method;
      for (const auto& [name, tensor] : model.method_weights) {
        ASSERT_TRUE(kept.count(name)) << name;
        if (epoch == 2) {
          EXPECT_EQ(kept.at(name).data, tensor.data) << name;
        }
      }
    }
    const Dataset data = dataset();
    const auto epochs = oracle_epochs(model, options.epochs, data, model.scoring, silent_progress());
    ASSERT_EQ(epochs.size(), 2U) << "the other run's file does not count";
    const Inspector inspector(model, torch::kCPU, Precision::kAuto, "model");
    EvaluateOptions evaluate;
    evaluate.scoring = model.scoring;
    evaluate.false_reject = 0.2;
    EXPECT_NEAR(epochs[1].image_auroc,
                evaluate_model(model, inspector, data, evaluate, false, silent_progress()).image_auroc.value,
                1e-9);
    Model other = model;
    other.record["run_identity"] = "another";
    EXPECT_THROW(oracle_epochs(other, options.epochs, data, model.scoring, silent_progress()), Error);
  }
}

TEST_F(EvalTest, TransformerTrainsAtAMultipleOfItsPatchAndOnlyWithInpFormer) {
  const std::string file = random_transformer(folder_->path()).string();
  const auto config = tiny("inp_former", file);
  config->table().set_assignment("input.size=75");
  const Model model = fit_model(*config, dataset(), {}, silent_progress());
  EXPECT_EQ(model.backbone.name, "dinov2reg_vit_small_14");
  EXPECT_EQ(model.input.size, 70);
  const Inspector inspector(model, torch::kCPU, Precision::kFloat32, "model");
  const auto scores = inspector.patch_scores({read_image(dataset().test[0].path)});
  EXPECT_EQ(scores[0].map.width, 5);

  const auto wrong = tiny("simplenet", file);
  try {
    fit_model(*wrong, dataset(), {}, silent_progress());
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("inp_former"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace glint
