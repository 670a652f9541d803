// The league on a tiny rendered set: cells, their results, the table and the page.
#include "glint/league/league.h"

#include <cmath>
#include <fstream>

#include "glint/base/csv.h"
#include "glint/base/error.h"
#include "glint/league/claim.h"
#include "glint/league/cost.h"
#include "glint/league/slurm.h"
#include "glint/league/worker.h"
#include "glint/report/compare_report.h"
#include "tiny_set.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

class LeagueTest : public TinySet {
 protected:
  static LeaguePlan plan(std::vector<std::string> methods, int seeds = 1) {
    return make_plan({league_set(dataset(), {folder_->path() / "set"})}, std::move(methods), seeds,
                     {{"any", "settings"}});
  }
  static LeagueFolder league(const std::string& name) { return {folder_->path() / name}; }
  /// Counts what is trained.
  static WorkerSteps steps(std::vector<std::string>* trained = nullptr) {
    return {[trained](const std::string& method, int seed) {
              if (trained) trained->push_back(method + std::to_string(seed));
              auto config = tiny(method, backbone_, seed);
              if (method == "padim") config->table().set_assignment("input.tiles=2");  // which it refuses
              return config;
            },
            [](const LeagueSet&) { return dataset(); }};
  }
};

TEST_F(LeagueTest, PlanIsReadBackAndNamesItsCellsByWhatDecidesThem) {
  const LeaguePlan made = plan({"dfm", "variation_model", "dfm"}, 2);
  ASSERT_EQ(made.cells.size(), 4U) << "a method given twice is one";
  EXPECT_TRUE(made.cells[0].id.starts_with("set.dfm.s0.")) << made.cells[0].id;
  EXPECT_TRUE(made.cells[1].id.starts_with("set.variation_model.s0."));
  EXPECT_TRUE(made.cells[2].id.starts_with("set.dfm.s1."));
  save_plan(league("planned"), made);
  EXPECT_EQ(load_plan(league("planned")).to_json(), made.to_json());
  LeaguePlan other = made;
  other.settings = {{"other", 1}};
  EXPECT_THROW(LeaguePlan::from_json(other.to_json(), "plan"), Error) << "ids of other settings";
  EXPECT_NE(make_plan(made.sets, {"dfm"}, 1, {{"other", 1}}).cells[0].id, made.cells[0].id);
  EXPECT_EQ(make_plan(made.sets, {"dfm"}, 1, made.settings).cells[0].id, made.cells[0].id)
      << "a smaller plan finds the results of a larger one";
  EXPECT_THROW(make_plan({made.sets[0], made.sets[0]}, {"dfm"}, 1, {}), Error);
  EXPECT_THROW(load_plan(league("nowhere")), Error);
  EXPECT_THROW(find_cell(made, "set.dfm.s7"), Error);
  const auto config = tiny("dfm", backbone_);
  const CellCost cost = estimated_cost(*config, dataset());
  EXPECT_GT(cost.memory_mib, 1024);
  EXPECT_GT(cost.seconds, 60);
}

TEST_F(LeagueTest, CellsAreComputedOnceAndMakeOneTable) {
  const LeaguePlan made = plan({"padim", "variation_model", "dfm"}, 2);
  const LeagueFolder folder = league("once");
  std::vector<std::string> trained;
  {
    CellWorker worker(folder, made, steps(&trained), {}, silent_progress());
    EXPECT_EQ(worker.run(made.cells[2]), CellOutcome::kComputed);
    EXPECT_EQ(worker.run(made.cells[2]), CellOutcome::kThere);
  }
  League part = make_league(made, load_results(folder, made));
  EXPECT_EQ(part.missing.size(), 5U);
  EXPECT_EQ(part.tables[0].rows[0].method, "dfm");
  EXPECT_EQ(part.tables[0].rows[0].notes, (std::vector<std::string>{"seed 1: not computed yet"}));
  EXPECT_NE(missing_sentence(part).find("5 of 6 cells are missing"), std::string::npos)
      << missing_sentence(part);

  CellWorker worker(folder, made, steps(&trained), {}, silent_progress());
  EXPECT_EQ(worker.run_all(), 5);
  EXPECT_EQ(worker.run_all(), 0);
  EXPECT_EQ(trained.size(), 6U) << "none twice";
  const League whole = make_league(made, load_results(folder, made));
  EXPECT_TRUE(whole.missing.empty());
  ASSERT_EQ(whole.tables.size(), 1U);
  const LeagueTable& table = whole.tables[0];
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_GE(table.rows[0].figures[0].mean.mean, table.rows[1].figures[0].mean.mean);
  EXPECT_EQ(table.rows[0].figures[0].groups, "a");
  EXPECT_TRUE(table.rows[0].tied_with_best);
  EXPECT_EQ(table.rows[2].method, "padim");
  ASSERT_EQ(table.rows[2].notes.size(), 1U);
  EXPECT_TRUE(table.rows[2].notes[0].starts_with("refused: ")) << table.rows[2].notes[0];
  ASSERT_EQ(table.pairs.size(), 1U);
  EXPECT_NEAR(table.pairs[0].difference.image_auroc.value,
              table.rows[0].figures[0].mean.mean - table.rows[1].figures[0].mean.mean, 1e-12);
  const bool apart = table.pairs[0].adjusted_p[0] < kFamilyLevel;
  EXPECT_EQ(table.rows[1].tied_with_best, !apart);
  EXPECT_EQ(table.rows[0].promised_rate, 0.2);

  const nlohmann::json j = league_json(whole);
  EXPECT_EQ(j["tables"][0]["methods"][0]["runs"].size(), 2U);
  EXPECT_TRUE(j["tables"][0]["methods"][0]["image_auroc"]["value"].is_number());
  const auto csv = parse_csv(league_csv(whole), "csv");
  ASSERT_EQ(csv.size(), 4U);
  for (const auto& line : csv) EXPECT_EQ(line.size(), csv[0].size());
  const std::string page = league_page(whole, folder);
  EXPECT_EQ(page.find("https://"), std::string::npos) << "a page must not need the network";
  EXPECT_EQ(page.find("no picture"), std::string::npos);
  std::size_t maps = 0;
  for (std::size_t at = 0; (at = page.find("alt='anomaly map'", at)) != std::string::npos; ++at) ++maps;
  EXPECT_EQ(maps, 2 * std::min(kShownParts, dataset().test.size()));
  EXPECT_NE(league_text(whole).find("refused: "), std::string::npos);
}

TEST_F(LeagueTest, AReadResultGivesTheSameFigures) {
  const LeaguePlan made = plan({"variation_model"});
  const LeagueFolder folder = league("same");
  CellWorker worker(folder, made, steps(), {}, silent_progress());
  worker.run_all();
  const CellResult read = *load_result(folder, made.cells[0].id);
  ASSERT_EQ(read.status, CellStatus::kDone) << read.reason;
  const Model model = load_model(folder.models() / read.model_file);
  const Inspector inspector(model, DeviceChoice::kCpu, Precision::kFloat32, "model");
  EvaluateOptions options;
  options.scoring = model.scoring;
  options.false_reject = 0.2;
  const Evaluation own = evaluate_model(model, inspector, dataset(), options, false, silent_progress());
  const Evaluation& again = read.run->evaluation;
  EXPECT_EQ(again.image_auroc.value, own.image_auroc.value);
  EXPECT_EQ(again.pixel.aupro.ci_low, own.pixel.aupro.ci_low);
  EXPECT_EQ(again.pixel.replicates, own.pixel.replicates);
  ASSERT_EQ(again.images.size(), own.images.size());
  for (std::size_t i = 0; i < own.images.size(); ++i) {
    EXPECT_EQ(again.images[i].score, own.images[i].score);
    EXPECT_EQ(again.images[i].rejected, own.images[i].rejected);
  }
  std::ofstream(folder.result(made.cells[0].id), std::ios::trunc) << "{}";
  EXPECT_THROW(load_result(folder, made.cells[0].id), Error);
}

TEST_F(LeagueTest, HeldFailedAndDeadlyCells) {
  const LeaguePlan made = plan({"variation_model"});
  const Cell& cell = made.cells[0];
  const LeagueFolder folder = league("held");
  CellWorker worker(folder, made, steps(), {}, silent_progress());
  {
    const auto other = CellClaim::take(folder.claims(), cell.id, /*lease_seconds=*/0.4);
    ASSERT_NE(other.claim, nullptr);
    EXPECT_EQ(worker.run_all(), 0) << "held cells are left to their worker";
    EXPECT_EQ(worker.run(cell), CellOutcome::kHeld) << "it lives: its claim is renewed";
  }
  // What goes wrong inside is a result, and is tried again.
  WorkerSteps broken = steps();
  broken.configure = [](const std::string&, int) -> std::unique_ptr<TrainConfig> {
    throw std::runtime_error("of libtorch");
  };
  CellWorker failing(folder, made, broken, {}, silent_progress());
  EXPECT_EQ(failing.run(cell), CellOutcome::kComputed);
  EXPECT_EQ(load_result(folder, cell.id)->status, CellStatus::kFailed);
  EXPECT_EQ(load_result(folder, cell.id)->reason, "of libtorch");
  const int generation = load_result(folder, cell.id)->generation;
  // Workers that end in the middle leave claims that are neither renewed nor given back.
  for (int death = 1; death <= kMostDeaths; ++death) {
    std::ofstream(folder.claims() / fmt::format("{}.{}", cell.id, generation + death))
        << R"({"host":"gone","pid":1,"start":"1","space":"x","lease_seconds":-1,"since":""})";
  }
  EXPECT_EQ(worker.run(cell), CellOutcome::kComputed);
  EXPECT_EQ(load_result(folder, cell.id)->status, CellStatus::kFailed);
  EXPECT_NE(load_result(folder, cell.id)->reason.find("workers ended"), std::string::npos);
  EXPECT_EQ(worker.run(cell), CellOutcome::kComputed);
  EXPECT_EQ(load_result(folder, cell.id)->status, CellStatus::kDone) << "asked for again, it is tried again";
}

TEST_F(LeagueTest, BudgetBeginsNothingThatWouldNotEndInTime) {
  const LeaguePlan made = plan({"variation_model"}, 2);
  const LeagueFolder folder = league("budget");
  WorkerOptions options;
  options.budget_seconds = 1e-9;
  EXPECT_EQ(CellWorker(folder, made, steps(), options, silent_progress()).run_all(), 0);
  CellWorker worker(folder, made, steps(), {}, silent_progress());
  worker.run(made.cells[0]);
  CellResult slow = *load_result(folder, made.cells[0].id);
  slow.wall_seconds = 1000;
  write_text(folder.result(slow.id), slow.to_json().dump());
  options.budget_seconds = 900;
  EXPECT_EQ(CellWorker(folder, made, steps(), options, silent_progress()).run_all(), 0);
  options.budget_seconds = 1100;
  EXPECT_EQ(CellWorker(folder, made, steps(), options, silent_progress()).run_all(), 1);
}

TEST_F(LeagueTest, ChangedDataAreRefused) {
  LeaguePlan made = plan({"variation_model"});
  made.sets[0].fingerprint = std::string(64, '0');
  made = make_plan(made.sets, {"variation_model"}, 1, {});
  const LeagueFolder folder = league("changed");
  CellWorker worker(folder, made, steps(), {}, silent_progress());
  EXPECT_THROW(worker.run_all(), Error);
  made.version = "0.0.0";
  EXPECT_THROW(CellWorker(folder, made, steps(), {}, silent_progress()), Error);
}

/// A done result of `method`, with these scores of the two good and two anomalous images.
CellResult made_result(const LeaguePlan& plan, const std::string& method, int seed,
                       const std::vector<double>& scores) {
  CellResult out;
  for (const Cell& cell : plan.cells) {
    if (cell.method == method && cell.seed == seed) out.id = cell.id;
  }
  auto run = bare_run(seed);
  std::vector<int> labels;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    ScoredImage image;
    image.sample.id = std::to_string(i);
    image.sample.label = i % 2 == 0 ? kGoodClass : "dent";
    image.score = scores[i];
    image.rejected = scores[i] > 0.5;
    labels.push_back(i % 2 == 0 ? 0 : 1);
    run->evaluation.images.push_back(image);
  }
  run->evaluation.image_auroc = auroc_interval(scores, labels);
  PixelMetrics& pixel = run->evaluation.pixel;
  pixel.auroc = pixel.average_precision = pixel.aupro = {NAN, NAN, NAN};
  out.results = {{"decision", {{"wished_rate", 0.01}}}};
  out.run = run;
  return out;
}

TEST_F(LeagueTest, MarksSayWhatIsToldApart) {
  LeagueSet set;
  set.name = "by hand";
  const LeaguePlan made = make_plan({set}, {"dfm", "padim", "spade"}, 1, {});
  std::vector<double> right, nearly, wrong;
  for (int i = 0; i < 80; ++i) {
    const double noise = 0.001 * ((i * 37) % 80);
    right.push_back((i % 2) + noise);
    nearly.push_back((i % 2) + noise + (i == 4 ? 0.95 : 0));
    wrong.push_back(0.4 + noise + (i % 16 == 1 ? 0.3 : 0));
  }
  const League league =
      make_league(made, {made_result(made, "dfm", 0, wrong), made_result(made, "padim", 0, nearly),
                         made_result(made, "spade", 0, right)});
  const auto& rows = league.tables[0].rows;
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].method, "spade");
  EXPECT_EQ(rows[1].method, "padim");
  EXPECT_EQ(rows[2].method, "dfm");
  EXPECT_EQ(rows[0].figures[0].groups, "a");
  EXPECT_EQ(rows[1].figures[0].groups, "a");
  EXPECT_EQ(rows[2].figures[0].groups, "b");
  EXPECT_TRUE(rows[1].tied_with_best);
  EXPECT_FALSE(rows[2].tied_with_best);
  EXPECT_EQ(rows[0].figures[2].groups, "") << "without masks there is no AUPRO, and nothing to mark";
  EXPECT_EQ(rows[0].escapes.value, 0);
  EXPECT_EQ(rows[1].false_rejects.value, 1.0 / 40);
  EXPECT_EQ(rows[2].escapes.value, 1 - 5.0 / 40);
}

TEST_F(LeagueTest, SlurmScriptsAskForWhatTheCellsNeed) {
  LeaguePlan made = plan({"dfm", "variation_model"}, 2);
  for (Cell& cell : made.cells) cell.cost = {cell.method == "dfm" ? 3600.0 : 5.0, 2000, false};
  const LeagueFolder folder = league("it's a cluster");
  SlurmOptions options;
  options.program = "/opt/glint";
  options.processors = 4;
  CellResult there;
  there.id = made.cells[1].id;
  there.status = CellStatus::kRefused;
  const auto jobs = write_slurm_jobs(folder, made, {there}, options);
  ASSERT_EQ(jobs.size(), 3U);
  EXPECT_EQ(jobs[0].cells.size(), 2U);
  EXPECT_EQ(jobs[0].minutes, 120);
  EXPECT_EQ(jobs[0].memory_mib, 2856);
  EXPECT_EQ(jobs[1].cells, (std::vector<std::string>{made.cells[3].id})) << "the refused one is settled";
  EXPECT_EQ(jobs[1].minutes, 10);
  EXPECT_TRUE(jobs[2].cells.empty());
  const std::string script = read_text(jobs[0].script);
  for (const char* line : {"#SBATCH --array=0-1\n", "#SBATCH --mem=2856M\n", "#SBATCH --time=120\n",
                           "#SBATCH --cpus-per-task=4\n", "#SBATCH --requeue\n", "it'\\''s a cluster"})
    EXPECT_NE(script.find(line), std::string::npos) << line << script;
  EXPECT_NE(script.find("/it's a cluster/slurm/%x-%a.log\"\n"), std::string::npos);
  EXPECT_NE(read_text(jobs[2].script).find("--collect"), std::string::npos);
  EXPECT_THROW(write_slurm_jobs(league("100%"), made, {}, options), Error);
}

}  // namespace
}  // namespace glint
