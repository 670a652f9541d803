// fit, decision and evaluate on a tiny rendered set with a random network: the chain, not the quality.
#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/data/sleeve.h"
#include "glint/eval/evaluate.h"
#include "glint/eval/fit.h"
#include "glint/nn/backbone_store.h"
#include "glint/report/evaluation_report.h"
#include "golden.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

/// A network of random weights, written as an importable file.
fs::path random_backbone(const fs::path& folder) {
  const BackboneSpec& spec = backbone_spec("resnet18");
  TensorDict weights;
  torch::manual_seed(3);
  for (const ConvShape& shape : conv_shapes(spec)) {
    const double std = std::sqrt(2.0 / (shape.in * shape.kernel * shape.kernel));
    weights[shape.name + ".weight"] =
        to_host(std * torch::randn({shape.out, shape.in, shape.kernel, shape.kernel}));
    weights[shape.name + ".bias"] = to_host(torch::zeros({shape.out}));
  }
  write_safetensors(folder / "random.safetensors", {weights, {}});
  return folder / "random.safetensors";
}

class EvalTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    SleeveSetOptions options;
    options.train = 24;
    options.test_good = 4;
    options.per_class = {1, 1, 1, 1, 2};
    options.size = 96;
    write_sleeve_set(folder_->path() / "set", options, silent_progress());
    backbone_ = random_backbone(folder_->path()).string();
  }
  static void TearDownTestSuite() { delete folder_; }

  static void small(TrainConfig& config) {
    OptionTable table = config.table();
    for (const char* setting : {"input.size=96", "simplenet.meta_epochs=3", "simplenet.passes=1",
                                "augment.draws=2", "simplenet.embedding_dimension=48",
                                "calibration.false_reject=0.2", "calibration.holdout_least=6"}) {
      table.set_assignment(setting);
    }
  }
  static Dataset dataset() { return scan_dataset(folder_->path() / "set", {}, silent_progress()); }
  static Model train(const std::string& setting = "", FitOptions options = {}) {
    TrainConfig config("simplenet", backbone_, Recipe::kRefined);
    small(config);
    if (!setting.empty()) config.table().set_assignment(setting);
    return fit_model(config, dataset(), options, silent_progress());
  }

  static TemporaryFolder* folder_;
  static std::string backbone_;
};
TemporaryFolder* EvalTest::folder_ = nullptr;
std::string EvalTest::backbone_;

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
  EXPECT_EQ(model_fingerprint(train("calibration.mode=holdout", options)), model_fingerprint(whole));
  EXPECT_FALSE(fs::exists(options.state));
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

}  // namespace
}  // namespace glint
