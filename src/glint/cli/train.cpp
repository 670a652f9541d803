// glint train

#include <cstdio>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/cli/choose_run.h"
#include "glint/cli/train_options.h"
#include "glint/cli/verbs.h"
#include "glint/fit/fit.h"
#include "glint/inspect/decision.h"
#include "glint/nn/runtime.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr const char* kAuto = "auto";

struct TrainCommand {
  std::vector<std::string> datasets;
  std::string out, exclude, method = default_method();
  TrainArguments train;
  std::optional<std::string> budget;  ///< of --method auto
  std::optional<std::int64_t> seed;
  bool resume = false, allow_leakage = false, without_backbone = false, keep_epochs = false,
       list_options = false;
};

/// The tracker's readings of every tenth meta-epoch, by the names that model file and report use.
void print_series(const TrainingRecord& training) {
  for (const TrainingRecord& part : training.parts) print_series(part);
  for (const EpochReading& reading : training.series) {
    const int epoch = reading.meta_epoch;
    if (epoch % 10 != 0 && epoch != std::ssize(training.series) && epoch != 1) continue;
    std::printf("meta-epoch %3d", epoch);
    for (const auto& [key, value] : reading.values) std::printf("  %s %.4f", key.c_str(), value);
    std::printf("\n");
  }
}

/// --method auto: `glint choose` in the folder MODEL.choose.
int run_auto(const TrainCommand& args) {
  if (args.keep_epochs || args.without_backbone || args.list_options) {
    fail(ErrorCode::kConfig,
         "--method auto does not go with --keep-epochs, --without-backbone or --options; name a method");
  }
  if (args.datasets.empty() || args.out.empty()) fail(ErrorCode::kConfig, "give a DATASET and -o MODEL");
  check_output_file(args.out);
  check_not_read(args.out, {args.exclude, args.train.config, args.train.backbone});
  if (is_device_or_pipe(args.out)) {
    fail(ErrorCode::kConfig, "--method auto needs a regular file, {} is none", name_line(args.out));
  }
  const auto progress = make_terminal_progress();
  if (const std::string warning = blas_warning(); !warning.empty()) progress->message("warning: " + warning);
  const Dataset dataset =
      scan_training_data(args.datasets, args.exclude, {DatasetUse::kTrain, args.allow_leakage}, *progress);
  std::vector<fs::path> read;
  for (const auto* part : {&dataset.train, &dataset.calibration, &dataset.test}) {
    for (const Sample& sample : *part) read.push_back(sample.path);
  }
  check_not_read(args.out, read);
  const fs::path folder = args.out + ".choose";
  ChooseArguments choose;
  choose.budget = args.budget.value_or(choose.budget);
  const ChooseOutcome outcome = run_choice(choose, args.train, args.seed, dataset, folder, *progress);
  write_file(args.out, read_file(outcome.file));
  std::printf("wrote %s; %s and choose.json show how it was chosen\n", name_line(args.out).c_str(),
              name_line(folder / "choose.html").c_str());
  return kExitOk;
}

int run(const TrainCommand& args) {
  if (args.method == kAuto) return run_auto(args);
  if (args.budget) fail(ErrorCode::kConfig, "--budget goes with --method auto, which chooses a method");
  const std::unique_ptr<TrainConfig> config = args.train.make(args.method, args.seed);
  if (args.list_options) {
    const OptionTable table = config->table();
    for (const OptionField& field : table.fields()) {
      std::printf("%-44s %-12s %s (%s)\n", field.name.c_str(), field.get().dump().c_str(), field.help.c_str(),
                  field.values.c_str());
    }
    return kExitOk;
  }
  if (args.datasets.empty() || args.out.empty()) fail(ErrorCode::kConfig, "give a DATASET and -o MODEL");
  FitOptions options;
  options.out = args.out;
  options.resume = args.resume;
  options.include_backbone = !args.without_backbone;
  check_output_file(options.out);  // before a large dataset is read; its size is checked with the rest
  check_not_read(options.out, {args.exclude, args.train.config, args.train.backbone});
  const auto progress = make_terminal_progress();
  if (is_device_or_pipe(options.out)) {
    progress->message(name_line(options.out) +
                      ": is no regular file: this training keeps no state to resume from");
    if (args.resume || args.keep_epochs)
      fail(ErrorCode::kConfig, "--resume and --keep-epochs need a regular file, {} is none",
           name_line(options.out));
  } else {
    options.state = args.out + ".resume";
    if (args.keep_epochs) options.epochs = args.out + ".epochs";
    check_output_file(options.state);
  }
  if (const std::string& asked = args.train.backbone;
      config->backbone != asked && asked != TrainArguments().backbone) {
    progress->message(
        fmt::format("--backbone {} is not used: {} reads no backbone", name_line(asked), args.method));
  }
  if (const std::string warning = blas_warning(); !warning.empty()) progress->message("warning: " + warning);
  const Dataset dataset =
      scan_training_data(args.datasets, args.exclude, {DatasetUse::kTrain, args.allow_leakage}, *progress);
  const Model model = fit_model(*config, dataset, options, *progress);
  save_trained(model, options);

  print_series(model.training);
  std::printf("calibration: %s\n", model.record.at("decision").at("guarantee").get<std::string>().c_str());
  std::printf("wrote %s  threshold %.4f%s\n", name_line(args.out).c_str(),
              model.record.at("decision").at("threshold").get<double>(),
              model.training.saturated
                  ? "  SATURATED: real and fake are fully separated, the scores may carry no information"
                  : "");
  return kExitOk;
}

}  // namespace

Action add_train(CLI::App& verb) {
  auto args = std::make_shared<TrainCommand>();
  verb.add_option(
      "dataset", args->datasets,
      "folder in MVTec layout, or a flat folder of good images; several become one detector of all "
      "these categories");
  verb.add_option("-o,--out", args->out, "model file to write");
  std::vector<std::string> methods = method_names();
  methods.emplace_back(kAuto);
  verb.add_option(
          "--method", args->method,
          "detection method; auto: the same as `glint choose` in the folder MODEL.choose, which keeps the "
          "report, with the winner as MODEL")
      ->capture_default_str()
      ->check(CLI::IsMember(methods));
  verb.add_option("--budget", args->budget, "of --method auto: time for candidates (default 15m)");
  args->train.add_to(verb);
  verb.add_option("--seed", args->seed, "same seed, same data, same machine: same model");
  verb.add_flag("--options", args->list_options, "list every option with its value and leave");
  verb.add_flag("--resume", args->resume,
                "go on from MODEL.resume after an interruption; it stays until the model is written");
  verb.add_flag("--keep-epochs", args->keep_epochs,
                "keep the weights of every meta-epoch, a file each in the folder MODEL.epochs (for evaluate "
                "--oracle-epochs)");
  verb.add_flag("--without-backbone", args->without_backbone,
                "leave the backbone's weights out of the model file");
  verb.add_option("--exclude", args->exclude,
                  "file with training images to leave out, one per line (glint audit --quarantine)");
  verb.add_flag("--allow-leakage", args->allow_leakage,
                "accept test images that are also training images; for experiments");
  return [args] { return run(*args); };
}

}  // namespace glint
