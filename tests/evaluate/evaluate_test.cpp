// fit, decision and evaluate on a tiny rendered set with a random network: the chain, not the quality.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "glint/base/error.h"
#include "glint/evaluate/evaluate.h"
#include "glint/fit/fit.h"
#include "glint/image/codec.h"
#include "glint/nn/vision_transformer.h"
#include "glint/report/evaluation_report.h"
#include "tiny_set.h"

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

/// A model whose calibration images all scored `level` everywhere, at every patch of one that it really has.
Model calibrated_at(Model model, const std::vector<float>& levels) {
  constexpr double kRate = 0.2;  // nine images can promise it
  std::vector<PatchScores> scores = calibration_scores(model);
  scores.resize(levels.size(), scores[0]);
  for (std::size_t i = 0; i < levels.size(); ++i) {
    for (ScoreMap* map : {&scores[i].map, &scores[i].decision})
      std::fill(map->values.begin(), map->values.end(), levels[i]);
    if (scores[i].image) scores[i].image = levels[i];
  }
  model.calibration_patches = pack_scores(scores);
  model.record["decision"].update(calibrate(model, kRate).to_json());
  return model;
}

TEST_F(EvalTest, VerdictsFollowThePromisedRankOfTheCalibrationScores) {
  // 19 calibration images scored 1 ... 19 under a promised 10 %: k = ceil(20 * 0.9) = 18, so 18 is still
  // accepted and anything above is not; p-values count the calibration images that score as much.
  std::vector<float> levels;
  for (int i = 19; i >= 1; --i) levels.push_back(static_cast<float>(i));
  const Decision decision =
      make_decision(calibrated_at(train("calibration.mode=holdout"), levels), ScoringOptions{}, 0.1);
  EXPECT_NEAR(decision.conformal.threshold, 18, 1e-4);
  EXPECT_NEAR(decision.conformal.guaranteed_rate, 0.1, 1e-12);
  struct Case {
    double score;
    bool rejected;
    int at_least;
  };
  for (const Case& c : {Case{0.5, false, 19}, Case{10.5, false, 9}, Case{17.5, false, 2}, Case{18.5, true, 1},
                        Case{100, true, 0}}) {
    EXPECT_EQ(decision.rejects(c.score), c.rejected) << c.score;
    EXPECT_NEAR(decision.p_value(c.score), (1 + c.at_least) / 20.0, 1e-12) << c.score;
  }
  EXPECT_FALSE(decision.rejects(decision.good_scores[17])) << "a tie with the threshold is accepted";
}

TEST_F(EvalTest, RefusesAnImpossibleRateBeforeTraining) {
  EXPECT_THROW(train("calibration.false_reject=0.001"), Error);
}

TEST_F(EvalTest, EvaluatesReportsAndDecides) {
  const Model model = train("calibration.mode=holdout");
  const Inspector inspector(model, DeviceChoice::kCpu, Precision::kFloat32, "model");
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
  // The same images under calibrations far below and far above all of their scores.
  for (const bool strict : {true, false}) {
    const Model moved = calibrated_at(model, std::vector<float>(9, strict ? -1e6F : 1e6F));
    const Evaluation other = evaluate_model(moved, inspector, data, options, false, silent_progress());
    EXPECT_EQ(other.image_auroc.value, e.image_auroc.value);
    for (std::size_t i = 0; i < e.images.size(); ++i) {
      EXPECT_EQ(other.images[i].score, e.images[i].score);
      EXPECT_EQ(other.images[i].rejected, strict);
      EXPECT_NEAR(other.images[i].p_value, strict ? 0.1 : 1, 1e-12);
    }
    const nlohmann::json decided = results_json(other, moved, data)["decision"];
    EXPECT_EQ(decided["false_rejects"], strict ? 4 : 0);
    EXPECT_EQ(decided["escapes"], strict ? 0 : 6);
  }
}

TEST_F(EvalTest, TestImagesThatTheModelTrainedOnAreRefused) {
  const Model model = train("calibration.mode=holdout");
  Dataset data = dataset();
  data.test[0].sha256 = data.train[0].sha256;
  const Inspector inspector(model, DeviceChoice::kCpu, Precision::kFloat32, "model");
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
  const Inspector inspector(back, DeviceChoice::kCpu, Precision::kFloat32, "model");
  const Decision decision = make_decision(back);
  const Dataset data = dataset();
  const RgbImage photo = read_image(data.test[0].path);
  const InspectionResult result = inspect_image(inspector, decision, photo, "part");
  EXPECT_TRUE(std::isfinite(result.score));
  EXPECT_EQ(result.map.width, photo.width);
  // judged by other calibrations: below all of this image's scores, and above
  for (const float level : {-1e6F, 1e6F}) {
    const InspectionResult other = inspect_image(
        inspector, make_decision(calibrated_at(back, std::vector<float>(9, level))), photo, "part");
    EXPECT_EQ(other.rejected, level < 0);
    EXPECT_NEAR(other.p_value, level < 0 ? 0.1 : 1, 1e-12);
  }
  EvaluateOptions evaluate;
  evaluate.scoring = back.scoring;
  evaluate.false_reject = 0.2;
  const Evaluation e = evaluate_model(back, inspector, data, evaluate, false, silent_progress());
  EXPECT_TRUE(std::isfinite(e.image_auroc.value));
  EXPECT_NE(evaluation_report(e, back, data, inspector, "").find("<h2>Training</h2>"), std::string::npos);
  if (std::string(GetParam()) == "supersimplenet") {
    EXPECT_EQ(back.scoring.image_score, ImageScore::kMethod);
    EXPECT_EQ(std::get<std::string>(back.training.figures.at("length")),
              "2 passes over the training images in batches of 8; published: 300 in batches of 32: a short "
              "recipe");
  }
  if (std::string(GetParam()) == "hybrid") {
    EXPECT_EQ(back.calibration_patches.count("decision_scores"), 1U);
    EXPECT_NE(decision.guarantee.find("approximately"), std::string::npos);
  }
}
INSTANTIATE_TEST_SUITE_P(Each, OtherMethods,
                         ::testing::Values("inp_former", "hybrid", "supersimplenet", "fastflow", "cflow"));

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
  const Inspector inspector(three, DeviceChoice::kCpu, Precision::kFloat32, "model");
  std::vector<RgbImage> photo = {read_image(dataset().test[0].path)};
  const ScoreMap together = inspector.patch_scores(photo)[0].map;
  std::vector<double> sum(together.values.size(), 0);
  for (const char* part : {"", "snapshot.000.", "snapshot.001."}) {
    Model single = three;
    TensorDict head = *part ? take_prefixed(three.method_weights, part) : three.method_weights;
    std::erase_if(head, [](const auto& entry) { return entry.first.starts_with("snapshot."); });
    head["simplenet.feature_scale"] = three.method_weights.at("simplenet.feature_scale");
    single.method_weights = head;
    const ScoreMap map =
        Inspector(single, DeviceChoice::kCpu, Precision::kFloat32, "m").patch_scores(photo)[0].map;
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

TEST_F(EvalTest, TransformerTrainsAtAMultipleOfItsPatchAndOnlyWithInpFormer) {
  const std::string file = random_transformer(folder_->path()).string();
  const auto config = tiny("inp_former", file);
  config->table().set_assignment("input.size=75");
  const Model model = fit_model(*config, dataset(), {}, silent_progress());
  EXPECT_EQ(model.backbone.name, "dinov2reg_vit_small_14");
  EXPECT_EQ(model.input.size, 70);
  const Inspector inspector(model, DeviceChoice::kCpu, Precision::kFloat32, "model");
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
