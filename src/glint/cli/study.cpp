// glint study

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/parallel.h"
#include "glint/cli/train_options.h"
#include "glint/cli/verbs.h"
#include "glint/nn/runtime.h"
#include "glint/report/study_report.h"
#include "glint/study/study.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

struct StudyCommand {
  std::string name, out, exclude, train_share;
  std::vector<std::string> datasets, arms;
  int seeds = 3, jobs = 1;
  bool resume = false;
  std::vector<std::string> methods;  ///< of `choice` and `contamination`
  std::vector<double> contamination = StudyOptions().contamination;
  TrainArguments train;
};

std::vector<const Study*> chosen_studies(const std::string& name) {
  if (name != "all") return {&find_study(name)};
  std::vector<const Study*> out;
  for (const Study& study : studies()) {
    if (study.in_all) out.push_back(&study);
  }
  return out;
}

/// Runs this very command again in `jobs` processes that only train, each on its share of the processors:
/// libtorch's threads and settings are per process. Error(kIo) when one failed.
void train_in_processes(int jobs) {
  std::vector<std::string> words(1);
  for (const char c : read_text("/proc/self/cmdline")) {
    if (c == '\0') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  words.pop_back();  // behind the last terminator
  std::vector<pid_t> children;
  for (int job = 0; job < jobs; ++job) {
    std::vector<std::string> command = words;
    command.push_back("--resume");
    command.push_back(fmt::format("--train-share={}/{}", job, jobs));
    std::vector<char*> argv;
    for (std::string& word : command) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_t child = 0;
    if (posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, argv.data(), environ) != 0)
      fail(ErrorCode::kIo, "cannot start a process for --jobs");
    children.push_back(child);
  }
  bool failed = false;
  for (const pid_t child : children) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    failed = failed || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  }
  throw_if_cancelled();
  if (failed)
    fail(ErrorCode::kIo, "a training process failed (see above); --resume goes on with what is there");
}

/// What a process of train_in_processes does.
int train_share(const std::vector<const Study*>& chosen, const StudyInput& input, const std::string& text) {
  TrainingShare share;
  if (std::sscanf(text.c_str(), "%d/%d", &share.index, &share.count) != 2 || share.count < 1)
    fail(ErrorCode::kConfig, "--train-share {}: not K/N", text);
  keep_processors(share.index, share.count);
  prepare_runtime();  // again, for fewer processors
  std::vector<Arm> arms;
  for (const Study* study : chosen) {
    for (Arm& arm : study->arms(input)) arms.push_back(std::move(arm));
  }
  ArmRunner(input.options.models, *input.progress).train(arms, input.options.seeds, share);
  return kExitOk;
}

int run(const StudyCommand& args) {
  const auto progress = make_terminal_progress();
  if (const std::string warning = blas_warning(); !warning.empty()) progress->message("warning: " + warning);
  const std::vector<const Study*> chosen = chosen_studies(args.name);
  const fs::path out = args.out, models = out / "models";
  for (const Study* study : chosen) {
    for (const char* file : {"study.json", "study.html"}) check_output_file(out / study->name / file);
  }
  if (!args.resume && fs::exists(models) && !fs::is_empty(models)) {
    fail(ErrorCode::kBadInput,
         "{}: holds models of an earlier study; --resume uses them again, or name a new folder",
         models.string());
  }
  StudyInput input;
  input.dataset = std::make_shared<const Dataset>(scan_training_data(args.datasets, "", {}, *progress));
  input.progress = progress.get();
  input.options.seeds = args.seeds;
  input.options.models = models;
  input.options.arms = args.arms;
  input.options.exclude = args.exclude;
  input.options.contamination = args.contamination;
  input.options.methods = args.methods;
  if (!args.methods.empty())
    input.options.candidates = built_in_candidates(args.train.backbone, args.methods);
  input.options.configure = [&args](const std::string& method, Recipe recipe, int seed) {
    TrainArguments train = args.train;
    train.recipe = enum_name(recipe);
    return train.make(method, seed, /*skip_other_methods=*/true);
  };
  if (!args.train_share.empty()) return train_share(chosen, input, args.train_share);
  if (args.jobs > 1) train_in_processes(args.jobs);
  ArmRunner runner(models, *progress);
  std::vector<StudyReport> reports;
  std::string summary;
  for (const Study* study : chosen) {
    progress->message("study " + study->name);
    reports.push_back(run_study(*study, input, runner));
    const fs::path folder = out / study->name;
    write_text(folder / "study.json", study_json(reports.back(), *input.dataset).dump(2) + "\n");
    write_text(folder / "study.html", study_page(reports.back(), *input.dataset));
    const std::string text = study_markdown(reports.back());
    summary += text;
    std::printf("%s", text.c_str());
  }
  fs::path page = out / chosen[0]->name / "study.html";
  if (chosen.size() > 1) {
    page = out / "study.html";
    write_text(page, study_index(reports, *input.dataset));
    write_text(out / "study.md", summary);
  }
  std::printf("wrote %s\n", page.c_str());
  return kExitOk;
}

}  // namespace

Action add_study(CLI::App& verb) {
  auto args = std::make_shared<StudyCommand>();
  std::string names;
  for (const Study& study : studies()) names += study.name + ", ";
  verb.add_option("name", args->name, names + "or all")->required();
  verb.add_option("dataset", args->datasets, "folder in MVTec layout with good and anomalous test images")
      ->required();
  verb.add_option("-o,--out", args->out, "folder for NAME/study.html, NAME/study.json and the trained models")
      ->required();
  verb.add_option("--seeds", args->seeds, "repetitions with seeds 0, 1, ...")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  verb.add_option("--jobs", args->jobs, "trainings at the same time, each with its share of the processors")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  verb.add_flag("--resume", args->resume, "go on with the models of an earlier call in the same folder");
  verb.add_option("--exclude", args->exclude,
                  "noise-clean: list of suspicious training images (default: the audit's own rule)")
      ->check(CLI::ExistingFile);
  verb.add_option("--arms", args->arms,
                  "simplenet: these arms beside refined, separated by commas (default: all)")
      ->delimiter(',');
  verb.add_option(
          "--methods", args->methods,
          "choice: the candidates of these methods (default: all that train in one pass); contamination: "
          "these methods (default: those of the study)")
      ->delimiter(',');
  verb.add_option("--contamination", args->contamination,
                  "contamination: shares of defective parts among the training images, comma separated")
      ->delimiter(',')
      ->capture_default_str();
  verb.add_option("--train-share", args->train_share)->group("");  // for the processes of --jobs
  args->train.add_to(verb, /*with_recipe=*/false);
  std::string questions;
  for (const Study& study : studies()) questions += fmt::format("  {:<13} {}\n", study.name, study.question);
  verb.footer("Studies:\n" + questions +
              "\nExample:\n  glint study leakage sleeves -o study --seeds 3\n"
              "  glint study all sleeves -o study --set simplenet.meta_epochs=10 --resume");
  return [args] { return run(*args); };
}

}  // namespace glint
