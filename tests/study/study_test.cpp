// Studies on a tiny rendered set with a random network: that they answer, share models and repeat.
#include "glint/study/study.h"

#include <cmath>

#include "glint/base/error.h"
#include "glint/detect/feature_library.h"
#include "glint/report/study_report.h"
#include "tiny_set.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

class StudyTest : public TinySet {
 protected:
  static StudyInput input(const std::string& models) {
    StudyInput out;
    out.dataset = std::make_shared<const Dataset>(dataset());
    out.options.seeds = 1;
    out.options.models = folder_->path() / models;
    out.options.configure = [](const std::string& method, Recipe recipe, int seed) {
      auto config = tiny(method, backbone_, seed);
      if (recipe == Recipe::kBaseline) {
        config = std::make_unique<TrainConfig>(method, backbone_, recipe);
        small(*config);
        config->table().set_assignment("calibration.mode=holdout");
        config->table().set("train.seed", seed);
      }
      return config;
    };
    return out;
  }
};

void expect_whole(const StudyReport& report) {
  EXPECT_FALSE(report.findings.empty());
  EXPECT_FALSE(report.study_says.empty());
  ASSERT_FALSE(report.tables.empty());
  for (const StudyTable& table : report.tables) {
    for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size()) << table.title;
  }
}

TEST_F(StudyTest, EveryStudyAnswersAndSharesModels) {
  StudyInput study_input = input("models");
  study_input.options.arms = {"masked-focal", "ascent-decay"};
  study_input.options.methods = {"dfm"};
  study_input.options.contamination = {0.1};
  std::vector<StudyReport> reports;
  {
    ArmRunner runner(study_input.options.models, silent_progress());
    for (const Study& study : studies()) {
      if (study.name == "choice") continue;  // needs a larger set: tests/choose/choose_test.cpp
      SCOPED_TRACE(study.name);
      reports.push_back(run_study(study, study_input, runner));
      expect_whole(reports.back());
      const std::string page = study_page(reports.back(), *study_input.dataset);
      EXPECT_NE(page.find(study.question), std::string::npos);
      EXPECT_EQ(page.find("https://"), std::string::npos) << "a page must not need the network";
      EXPECT_NE(study_markdown(reports.back()).find("## " + study.name), std::string::npos);
      EXPECT_NE(study_index(reports, *study_input.dataset).find(study.name + "/study.html"),
                std::string::npos);
    }
  }
  // What a method's readings are is the method's to say.
  const auto saturation =
      std::find_if(reports.begin(), reports.end(), [](const auto& r) { return r.name == "saturation"; });
  const std::vector<std::string>& columns = saturation->tables.at(0).columns;
  EXPECT_EQ(std::count(columns.begin(), columns.end(), "share of fake features past their margin"), 1);
  EXPECT_EQ(saturation->charts.size(), 2 * (columns.size() - 4)) << "each reading, clipped and not";
  const auto contaminated =
      std::find_if(reports.begin(), reports.end(), [](const auto& r) { return r.name == "contamination"; });
  EXPECT_EQ(contaminated->tables.at(0).rows.size(), 2U);
  EXPECT_EQ(contaminated->tables.at(1).rows.size(), 1U);  // the loss against the clean arm
  EXPECT_NE(contaminated->notes.back().find("3 at 10 %"), std::string::npos);
  // baseline, refined, 3 other augmentations, 7 other saturations, 2 other methods, 2 of simplenet,
  // 2 of contamination; a cleaned set if one is
  const auto written = model_times(study_input.options.models);
  EXPECT_GE(written.size(), 18U);
  EXPECT_LE(written.size(), 19U);
  ArmRunner again(study_input.options.models, silent_progress());
  for (const char* name : {"baseline", "leakage", "test-size"}) {
    const StudyReport report = run_study(find_study(name), study_input, again);
    const auto before =
        std::find_if(reports.begin(), reports.end(), [&](const auto& r) { return r.name == name; });
    EXPECT_EQ(study_json(report, *study_input.dataset), study_json(*before, *study_input.dataset));
  }
  EXPECT_EQ(model_times(study_input.options.models), written) << "trained again";
}

TEST_F(StudyTest, ContaminationMovesPartsOutOfTheTestOfEveryArm) {
  StudyInput study_input = input("contamination");
  study_input.options.methods = {"dfm"};
  study_input.options.contamination = {0.1, 0.04};
  const std::vector<Arm> arms = find_study("contamination").arms(study_input);
  ASSERT_EQ(arms.size(), 3U);
  EXPECT_EQ(arms[1].dataset->train.size(), arms[0].dataset->train.size() + 3);
  EXPECT_EQ(arms[2].dataset->train.size(), arms[0].dataset->train.size() + 1);
  EXPECT_EQ(arms[1].name, "dfm, 10 %");
  EXPECT_EQ(arms[0].dataset->test.size(), dataset().test.size() - 3);
  study_input.options.contamination = {0};
  EXPECT_THROW(find_study("contamination").arms(study_input), Error);
}

TEST_F(StudyTest, SharesOfTheTrainingsAreDisjointAndComplete) {
  const StudyInput study_input = input("shares");
  const std::vector<Arm> arms = find_study("baseline").arms(study_input);
  const auto trained = [&](int index) {
    ArmRunner(study_input.options.models, silent_progress()).train(arms, 1, {index, 2});
    return model_times(study_input.options.models).size();
  };
  EXPECT_EQ(trained(0), 1U);
  EXPECT_EQ(trained(1), 2U);
  const auto written = model_times(study_input.options.models);
  ArmRunner(study_input.options.models, silent_progress()).run(arms, 1);
  EXPECT_EQ(model_times(study_input.options.models), written) << "trained again";
}

TEST_F(StudyTest, ArmsOfSimpleNetAreChosenByName) {
  StudyInput study_input = input("models");
  const auto names = [&](std::vector<std::string> wanted) {
    study_input.options.arms = std::move(wanted);
    std::vector<std::string> out;
    for (const Arm& arm : find_study("simplenet").arms(study_input)) out.push_back(arm.name);
    return out;
  };
  EXPECT_EQ(names({"masked", "decay"}), (std::vector<std::string>{"refined", "masked", "decay"}));
  EXPECT_EQ(names({}).size(), 13U);
  EXPECT_THROW(names({"maskd"}), Error);
  // The published configuration is reached by options alone.
  study_input.options.arms = {"published"};
  const auto config = find_study("simplenet").arms(study_input)[1].configure(0);
  const auto options = config->table().to_json();
  EXPECT_EQ(options["simplenet"]["embedding_dimension"], 1536);
  EXPECT_EQ(options["simplenet"]["hidden_dimension"], 1024);
  EXPECT_EQ(options["simplenet"]["batch"], 8);
  EXPECT_EQ(options["simplenet"]["discriminator_learning_rate"], 2e-4);
  EXPECT_EQ(options["simplenet"]["adapter_learning_rate"], 1e-4);
  EXPECT_EQ(options["simplenet"]["adapter_optimizer"], "adamw");
  EXPECT_EQ(options["simplenet"]["noise_scale"], "absolute");
}

TEST_F(StudyTest, LeakageOnlyEverAddsToTheOracles) {
  const StudyInput study_input = input("models");
  ArmRunner runner(study_input.options.models, silent_progress());
  const StudyReport report = run_study(find_study("leakage"), study_input, runner);
  const auto table = [&](const std::string& words) -> const StudyTable& {
    return *std::find_if(report.tables.begin(), report.tables.end(),
                         [&](const StudyTable& t) { return t.title.find(words) != std::string::npos; });
  };
  for (const auto& row : table("epoch on the test set").rows) {
    EXPECT_GE(std::get<double>(row[2]), std::get<double>(row[1]));
    EXPECT_GE(std::get<double>(row[3]), 0.0);
  }
  for (const auto& row : table("threshold on the test set").rows)
    EXPECT_GE(std::get<double>(row[2]), std::get<double>(row[1]));
}

TEST_F(StudyTest, UnknownNamesGetTheNearest) {
  try {
    find_study("leekage");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("did you mean 'leakage'"), std::string::npos) << e.what();
  }
}

TEST_F(StudyTest, SharedFeaturesChangeNoModel) {
  FeatureLibrary library;
  FitOptions options;
  options.library = &library;
  const std::string alone = model_fingerprint(train("calibration.mode=holdout"));
  EXPECT_EQ(model_fingerprint(train("calibration.mode=holdout", options)), alone);
  EXPECT_EQ(model_fingerprint(train("calibration.mode=holdout", options)), alone) << "from the library";
  EXPECT_NE(model_fingerprint(train("augment.regime=strong", options)), alone);
}

TEST_F(StudyTest, RescoringEqualsEvaluatingWithThoseOptions) {
  const Model model = train("calibration.mode=holdout");
  const Inspector inspector(model, DeviceChoice::kCpu, Precision::kFloat32, "model");
  EvaluateOptions options;
  options.false_reject = 0.2;
  options.scoring = model.scoring;
  const Evaluation own = evaluate_model(model, inspector, dataset(), options, false, silent_progress());
  options.scoring.image_score = ImageScore::kPatchMax;
  options.scoring.smoothing_sigma = 4;
  const Evaluation whole = evaluate_model(model, inspector, dataset(), options, false, silent_progress());
  const Evaluation again = rescore(own, model, inspector, options, silent_progress());
  EXPECT_NE(own.images[0].score, whole.images[0].score);
  EXPECT_EQ(again.image_auroc.value, whole.image_auroc.value);
  EXPECT_EQ(again.image_auroc.ci_low, whole.image_auroc.ci_low);
  EXPECT_EQ(again.pixel.aupro.value, whole.pixel.aupro.value);
  EXPECT_EQ(again.decision.map_threshold, whole.decision.map_threshold);
  for (std::size_t i = 0; i < whole.images.size(); ++i)
    EXPECT_EQ(again.images[i].score, whole.images[i].score) << i;
}

}  // namespace
}  // namespace glint
