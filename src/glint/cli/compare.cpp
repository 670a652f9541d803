// glint compare

#include <algorithm>
#include <cstdio>

#include "glint/base/duration.h"
#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/cli/train_options.h"
#include "glint/cli/verbs.h"
#include "glint/league/cost.h"
#include "glint/league/league.h"
#include "glint/league/slurm.h"
#include "glint/league/worker.h"
#include "glint/nn/runtime.h"
#include "glint/report/compare_report.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr const char* kAll = "all";

struct CompareCommand {
  std::vector<std::string> datasets, methods = study_methods();
  std::string out, budget, run, submit, lease = "2m";
  int seeds = 3, slurm_processors = 0;
  bool each = false, plan = false, collect = false;
  std::vector<std::string> slurm;
  TrainArguments train;

  LeagueFolder folder() const { return {out}; }
};

Dataset scan(const std::vector<fs::path>& folders, ProgressSink& progress) {
  std::vector<std::string> names;
  for (const fs::path& folder : folders) names.push_back(folder.string());
  return scan_training_data(names, "", {DatasetUse::kEvaluate}, progress);
}

WorkerSteps steps_of(const LeaguePlan& plan, ProgressSink& progress) {
  return {[train = TrainArguments::from_json(plan.settings)](const std::string& method, int seed) {
            return train.make(method, seed, /*skip_other_methods=*/true);
          },
          [&progress](const LeagueSet& set) { return scan(set.folders, progress); }};
}

std::vector<std::vector<fs::path>> folders_of_sets(const CompareCommand& args) {
  std::vector<std::vector<fs::path>> out;
  for (const std::string& folder : args.datasets) {
    if (args.each || out.empty()) out.emplace_back();
    out.back().emplace_back(folder);
  }
  return out;
}

/// Settings that no method could be trained with fail here, not once a cell.
void check_settings(const LeaguePlan& plan, const WorkerSteps& steps) {
  std::string first;
  for (const std::string& method : plan.methods) {
    try {
      steps.configure(method, 0);
      return;
    } catch (const Error& e) {
      if (first.empty()) first = e.what();
    }
  }
  fail(ErrorCode::kConfig, "{}", first);
}

/// A method that is refused here has no costs; its cells say why when they are run.
void estimate_costs(LeaguePlan& plan, const WorkerSteps& steps, const std::vector<Dataset>& datasets) {
  for (Cell& cell : plan.cells) {
    try {
      if (cell.seed == 0)
        cell.cost =
            estimated_cost(*steps.configure(cell.method, 0), datasets[static_cast<std::size_t>(cell.set)]);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kConfig && e.code() != ErrorCode::kBadInput) throw;
    }
    for (const Cell& first : plan.cells) {
      if (first.set == cell.set && first.method == cell.method && first.seed == 0) cell.cost = first.cost;
    }
  }
}

LeaguePlan new_plan(const CompareCommand& args, ProgressSink& progress) {
  std::vector<LeagueSet> sets;
  std::vector<Dataset> datasets;
  for (const std::vector<fs::path>& folders : folders_of_sets(args)) {
    datasets.push_back(scan(folders, progress));
    sets.push_back(league_set(datasets.back(), folders));
    if (sets.back().test_good < 1 || sets.back().test_anomalous < 1) {
      fail(ErrorCode::kBadInput, "{}: {} good and {} anomalous test images; a comparison needs both",
           name_line(folders.front()), sets.back().test_good, sets.back().test_anomalous);
    }
  }
  const bool all = std::find(args.methods.begin(), args.methods.end(), kAll) != args.methods.end();
  LeaguePlan plan =
      make_plan(std::move(sets), all ? method_names() : args.methods, args.seeds, args.train.to_json());
  const WorkerSteps steps = steps_of(plan, progress);
  check_settings(plan, steps);
  estimate_costs(plan, steps, datasets);
  measured_costs(plan, load_results(args.folder(), plan));
  save_plan(args.folder(), plan);
  return plan;
}

int collect(const CompareCommand& args, LeaguePlan plan) {
  const LeagueFolder folder = args.folder();
  std::vector<CellResult> results = load_results(folder, plan);
  const League league = make_league(std::move(plan), std::move(results));
  write_text(folder.root / "compare.json", league_json(league).dump(2) + "\n");
  write_text(folder.root / "compare.csv", league_csv(league));
  write_text(folder.root / "compare.html", league_page(league, folder));
  std::printf("%s", league_text(league).c_str());
  std::printf("wrote %s, compare.json, compare.csv\n", (folder.root / "compare.html").c_str());
  return kExitOk;
}

int list_plan(const CompareCommand& args, const LeaguePlan& plan) {
  for (const Cell& cell : plan.cells) {
    const auto result = load_result(args.folder(), cell.id);
    std::printf("%s  %s, %s %s, %d MiB\n", cell.id.c_str(),
                result ? std::string(enum_name(result->status)).c_str() : "to do",
                cell.cost.measured ? "measured" : "about", seconds_text(cell.cost.seconds).c_str(),
                cell.cost.memory_mib);
  }
  std::printf("wrote %s: %zu cells\n", args.folder().plan().c_str(), plan.cells.size());
  return kExitOk;
}

int submit(const CompareCommand& args, LeaguePlan plan) {
  if (args.submit != "slurm") fail(ErrorCode::kConfig, "--submit {}: only slurm is known", args.submit);
  const std::vector<CellResult> results = load_results(args.folder(), plan);
  measured_costs(plan, results);
  save_plan(args.folder(), plan);
  SlurmOptions options;
  options.program = fs::read_symlink("/proc/self/exe");
  options.arguments = args.slurm;
  options.processors = args.slurm_processors;
  options.lease_seconds = parse_seconds(args.lease, "--lease");
  const std::vector<SlurmJob> jobs = write_slurm_jobs(args.folder(), plan, results, options);
  if (jobs.empty()) {
    std::printf("every cell is computed; --collect makes the table\n");
    return kExitOk;
  }
  std::printf("wrote %s/*.sh\n", args.folder().slurm().c_str());
  std::fflush(stdout);
  const std::vector<std::string> numbers = submit_slurm_jobs(jobs, options);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    std::printf("job %s: %s, %zu cell%s, %d MiB, %d min\n", numbers[i].c_str(), jobs[i].name.c_str(),
                jobs[i].cells.size(), jobs[i].cells.size() == 1 ? "" : "s", jobs[i].memory_mib,
                jobs[i].minutes);
  }
  return kExitOk;
}

int run_cell(const CompareCommand& args, const LeaguePlan& plan, CellWorker& worker) {
  if (args.run == kAll) {
    worker.run_all();
    return kExitOk;
  }
  const Cell& cell = find_cell(plan, args.run);
  const CellOutcome outcome = worker.run(cell);
  if (outcome == CellOutcome::kHeld) {
    std::printf("%s: another worker is computing it\n", cell.id.c_str());
    return kExitOk;
  }
  const auto result = load_result(args.folder(), cell.id);
  GLINT_CHECK(result.has_value());
  std::printf("%s: %s%s%s\n", cell.id.c_str(), outcome == CellOutcome::kThere ? "was there: " : "",
              std::string(enum_name(result->status)).c_str(),
              result->reason.empty() ? "" : (": " + result->reason).c_str());
  return result->status == CellStatus::kFailed ? kExitError : kExitOk;
}

int run(const CompareCommand& args) {
  const LeagueFolder folder = args.folder();
  for (const char* file : {"compare.json", "compare.html", "compare.csv", "plan.json"})
    check_output_file(folder.root / file);
  const bool from_plan = args.collect || !args.run.empty() || (!args.submit.empty() && args.datasets.empty());
  if (!from_plan && args.datasets.empty())
    fail(ErrorCode::kConfig,
         "dataset: name a folder; --run, --collect and --submit go on with the plan in --out");
  if (args.collect) return collect(args, load_plan(folder));
  WorkerOptions options;
  options.lease_seconds = parse_seconds(args.lease, "--lease");
  if (!args.budget.empty()) options.budget_seconds = parse_seconds(args.budget, "--budget");
  make_folder(folder.models());
  make_folder(folder.results());
  const auto progress = make_terminal_progress();
  if (const std::string warning = blas_warning(); !warning.empty()) progress->message("warning: " + warning);
  LeaguePlan plan = from_plan ? load_plan(folder) : new_plan(args, *progress);
  if (args.plan) return list_plan(args, plan);
  if (!args.submit.empty()) return submit(args, std::move(plan));
  CellWorker worker(folder, plan, steps_of(plan, *progress), options, *progress);
  if (!args.run.empty()) return run_cell(args, plan, worker);
  worker.run_all();
  return collect(args, plan);
}

}  // namespace

Action add_compare(CLI::App& verb) {
  auto args = std::make_shared<CompareCommand>();
  verb.add_option(
      "dataset", args->datasets,
      "folder in MVTec layout, with a test set; several: one detector of all, or with --each one each");
  verb.add_option("-o,--out", args->out,
                  "folder for compare.html, compare.json, compare.csv, plan, results and models")
      ->required();
  std::vector<std::string> names = method_names();
  names.insert(names.begin(), kAll);
  verb.add_option("--methods", args->methods, "comma separated, or all")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::IsMember(names));
  verb.add_option("--seeds", args->seeds, "repetitions with seeds 0, 1, ...")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  verb.add_flag("--each", args->each, "every dataset folder is a data set of its own");
  verb.add_option(
      "--budget", args->budget,
      "begin no training that would end later than this (e.g. 90m, 8h); the same command goes on");
  auto* plan =
      verb.add_flag("--plan", args->plan, "only write plan.json and list its cells (docs/league.md)");
  auto* run_option =
      verb.add_option("--run", args->run, "compute one cell of the plan, or all that are free");
  auto* collect_flag = verb.add_flag("--collect", args->collect,
                                     "make the table from what is computed, and name what is missing");
  auto* submit_option =
      verb.add_option("--submit", args->submit, "slurm: hand the cells to Slurm as job arrays");
  plan->excludes(run_option)->excludes(collect_flag)->excludes(submit_option);
  run_option->excludes(collect_flag)->excludes(submit_option);
  collect_flag->excludes(submit_option);
  verb.add_option("--lease", args->lease, "a cell whose worker is silent for so long is taken over")
      ->capture_default_str();
  verb.add_option("--slurm", args->slurm, "one argument of sbatch, e.g. --slurm=--partition=long; repeatable")
      ->allow_extra_args(false);
  verb.add_option("--slurm-cpus", args->slurm_processors, "processors of each task")
      ->check(CLI::Range(1, 1024));
  args->train.add_to(verb);
  return [args] { return run(*args); };
}

}  // namespace glint
