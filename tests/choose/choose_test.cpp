// A choice on a small rendered set with a random network, from photographs to the winning model, and the
// study that compares it with a test set.
#include "glint/choose/choose.h"

#include <set>

#include "glint/base/error.h"
#include "glint/inspect/open_detector.h"
#include "glint/report/choose_report.h"
#include "glint/study/study.h"
#include "tiny_set.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

class ChooseTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    SleeveSetOptions options;
    options.train = 44;
    options.test_good = 4;
    options.per_class = {1, 1, 1, 1, 2};
    options.size = 96;
    write_sleeve_set(folder_->path() / "set", options, silent_progress());
    backbone_ = random_backbone(folder_->path()).string();
    dataset_ = new Dataset(scan_dataset(folder_->path() / "set", {}, silent_progress()));
  }
  static void TearDownTestSuite() {
    delete dataset_;
    delete folder_;
  }

  static std::unique_ptr<TrainConfig> configure(const std::string& method) {
    auto config = std::make_unique<TrainConfig>(method, backbone_, Recipe::kRefined);
    if (method == "patchcore") config->table().set_assignment("patchcore.bank_rows=50");
    return config;
  }
  static ChooseOptions options(const std::string& out) {
    ChooseOptions o;
    o.budget.seconds = 1e6;
    for (const char* method : {"patchcore", "dfm"})
      o.candidates.push_back({method, 96, 1, Align::kNone, backbone_});
    o.ladder.kinds = {SyntheticDefect::kBlob, SyntheticDefect::kScratch};
    o.ladder.contrasts = {0.5};
    o.ladder.size_shares = {0.1, 0.3};
    o.ladder.trials = 6;
    o.configure = configure;
    o.out = folder_->path() / out;
    return o;
  }
  static std::set<std::string> images(const Model& model, const std::string& role) {
    std::set<std::string> out;
    for (const auto& image : model.record.at("dataset").at("images")) {
      if (image.at("role") == role) out.insert(image.at("id").get<std::string>());
    }
    return out;
  }
  static std::set<std::string> ids(const std::vector<Sample>& samples) {
    std::set<std::string> out;
    for (const Sample& sample : samples) out.insert(sample.id);
    return out;
  }

  inline static TemporaryFolder* folder_ = nullptr;
  inline static Dataset* dataset_ = nullptr;
  inline static std::string backbone_;
};

TEST_F(ChooseTest, TheWinnerIsCalibratedOnPartsThatTookNoPartInTheChoice) {
  const ChooseOutcome outcome = choose_model(*dataset_, options("first"), silent_progress());
  const GoodRoles& roles = outcome.measured.roles;
  const Model winner = load_model(outcome.file);
  EXPECT_EQ(images(winner, "calibration"), ids(roles.final_calibration));
  std::set<std::string> seen;
  for (const auto& entry : fs::directory_iterator(folder_->path() / "first" / "models")) {
    const Model candidate = load_model(entry.path());
    EXPECT_EQ(images(candidate, "train"), ids(roles.train));
    EXPECT_EQ(images(candidate, "calibration"), ids(roles.calibration));
    seen.merge(images(candidate, "train"));
    seen.merge(images(candidate, "calibration"));
  }
  seen.merge(ids(roles.judging));
  EXPECT_FALSE(seen.empty());
  for (const std::string& id : images(winner, "calibration")) EXPECT_EQ(seen.count(id), 0U) << id;
  EXPECT_EQ(images(winner, "train"), seen) << "the winner trains on all the others";
  EXPECT_EQ(winner.record.at("choice").at("candidate"), outcome.winner);
  const OpenedDetector opened = open_detector(outcome.file, {});
  EXPECT_EQ(opened.decision.conformal.wished_rate, roles.false_reject);

  const std::string page = choose_report(outcome, *dataset_);
  EXPECT_NE(page.find("dfm 96 px"), std::string::npos);
  EXPECT_NE(page.find("No real defect was seen"), std::string::npos);
  EXPECT_EQ(page.find("https://"), std::string::npos) << "a page must not need the network";
}

TEST_F(ChooseTest, TheCandidatesSeeTheSameDefectsAndARepeatedCallTrainsNothing) {
  const ChooseOutcome first = choose_model(*dataset_, options("again"), silent_progress());
  const auto times = model_times(folder_->path() / "again" / "models");
  const auto winner = fs::last_write_time(first.file);
  ASSERT_EQ(times.size(), 2U);
  ASSERT_EQ(first.measured.results.size(), 2U);
  for (const CandidateResult& result : first.measured.results) {
    EXPECT_EQ(result.status, CandidateStatus::kMeasured) << result.reason;
    EXPECT_EQ(result.scores.at(0).found.size(), 24U) << "2 kinds, 1 contrast, 2 sizes, 6 trials";
    EXPECT_GT(result.milliseconds_image, 0);
    EXPECT_EQ(result.judged_good, std::ssize(first.measured.roles.judging));
  }
  ChooseOptions more = options("again");
  more.candidates.push_back({"padim", 96, 1, Align::kNone, backbone_});
  more.budget.seconds = 1e-3;  // spent by the first two
  const ChooseOutcome second = choose_model(*dataset_, more, silent_progress());
  EXPECT_EQ(model_times(folder_->path() / "again" / "models"), times);
  EXPECT_EQ(fs::last_write_time(second.file), winner);
  EXPECT_EQ(second.winner, first.winner);
  EXPECT_EQ(second.measured.results[2].status, CandidateStatus::kNoBudget);
  EXPECT_NE(choose_report(second, *dataset_).find("no budget left"), std::string::npos);

  const ChooseOutcome elsewhere = choose_model(*dataset_, options("elsewhere"), silent_progress());
  for (std::size_t c = 0; c < 2; ++c) {
    EXPECT_EQ(elsewhere.measured.results[c].scores[0].found, first.measured.results[c].scores[0].found);
    EXPECT_EQ(elsewhere.measured.results[c].identity, first.measured.results[c].identity);
  }
}

TEST_F(ChooseTest, WhatCannotBeTrainedIsRefusedByNameAndTheOthersGoOn) {
  ChooseOptions o = options("refused");
  o.candidates = {{"padim", 96, 2, Align::kNone, backbone_}, {"dfm", 96, 1, Align::kNone, backbone_}};
  const ChooseOutcome outcome = choose_model(*dataset_, o, silent_progress());
  EXPECT_EQ(outcome.measured.results[0].status, CandidateStatus::kRefused);
  EXPECT_NE(outcome.measured.results[0].reason.find("input.tiles"), std::string::npos);
  EXPECT_NE(outcome.winner.find("dfm"), std::string::npos);
}

TEST_F(ChooseTest, ADamagedStateIsNamed) {
  write_text(folder_->path() / "damaged" / "choose.json", "{\"schema_version\": 1, \"candidates\": [{}]}");
  try {
    choose_model(*dataset_, options("damaged"), silent_progress());
    FAIL() << "the state is no state";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kBadInput);
    EXPECT_NE(std::string(e.what()).find("choose.json"), std::string::npos) << e.what();
  }
}

TEST_F(ChooseTest, TheStudyComparesWithTheTestSet) {
  StudyInput input;
  input.dataset = std::make_shared<const Dataset>(*dataset_);
  input.options.seeds = 1;
  input.options.models = folder_->path() / "study";
  input.options.candidates = options("").candidates;
  input.options.candidates.push_back({"padim", 96, 2, Align::kNone, backbone_});  // refused: position-bound
  input.options.candidates.push_back({"spade", 96, 1, Align::kNone, backbone_});
  input.options.ladder = options("").ladder;
  input.options.configure = [](const std::string& method, Recipe, int seed) {
    auto config = configure(method);
    config->table().set("train.seed", seed);
    return config;
  };
  ArmRunner runner(input.options.models, silent_progress());
  const StudyReport report = run_study(find_study("choice"), input, runner);
  EXPECT_GE(report.findings.size(), 4U);
  ASSERT_EQ(report.tables.size(), 1U);
  EXPECT_EQ(report.tables[0].rows.size(), 8U)
      << "2 image scores of patchcore, 3 of dfm and spade, none refused";
  for (const auto& row : report.tables[0].rows) EXPECT_EQ(row.size(), report.tables[0].columns.size());
  EXPECT_NE(study_markdown(report).find("padim 96 px, 2 x 2 tiles is left out"), std::string::npos);
  EXPECT_NE(report.findings[0].find("rank correlation"), std::string::npos) << report.findings[0];
}

}  // namespace
}  // namespace glint
