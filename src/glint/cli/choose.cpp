// glint choose

#include <cstdio>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/cli/choose_run.h"
#include "glint/cli/verbs.h"
#include "glint/nn/runtime.h"

namespace glint {
namespace {

struct ChooseCommand {
  std::vector<std::string> datasets;
  std::string out, exclude;
  std::optional<std::int64_t> seed;
  ChooseArguments choose;
  TrainArguments train;
};

int run(const ChooseCommand& args) {
  const auto progress = make_terminal_progress();
  if (const std::string warning = blas_warning(); !warning.empty()) progress->message("warning: " + warning);
  const Dataset dataset = scan_training_data(args.datasets, args.exclude, {}, *progress);
  const ChooseOutcome outcome = run_choice(args.choose, args.train, args.seed, dataset, args.out, *progress);
  std::printf("wrote %s, choose.html, choose.json\n", outcome.file.c_str());
  return kExitOk;
}

}  // namespace

Action add_choose(CLI::App& verb) {
  auto args = std::make_shared<ChooseCommand>();
  verb.add_option(
          "dataset", args->datasets,
          "folder in MVTec layout, or a flat folder of good images; its test images are not looked at")
      ->required();
  verb.add_option(
          "-o,--out", args->out,
          "folder for model.glint (the winner), choose.html, choose.json and the candidates' models; the "
          "same command goes on there")
      ->required();
  args->choose.add_to(verb);
  TrainArguments& train = args->train;
  verb.add_option("--backbone", train.backbone, "name from `glint backbone list`, or a weight file")
      ->capture_default_str();
  verb.add_option(
          "--false-reject", train.false_reject,
          "tolerable share of good parts rejected by the winner (default: 0.01, or the next of 0.02, 0.05, "
          "... that its calibration images can promise)")
      ->check(CLI::Range(1e-6, 0.5));
  verb.add_option("--augment", train.augment, "as for train");
  verb.add_option("--seed", args->seed, "of roles, defects and trainings");
  verb.add_option("--device", train.device, "auto, cpu or cuda");
  verb.add_option("--config", train.config, "JSON file with any of the options of `train --options`")
      ->check(CLI::ExistingFile);
  verb.add_option("--set", train.set, "one option, e.g. --set patchcore.bank_rows=10000; repeatable");
  verb.add_option("--exclude", args->exclude, "file with training images to leave out, one per line");
  verb.footer(
      "Trains candidates (methods, input sizes, tiles, alignment, image scores), shows each the same "
      "synthetic\n"
      "defects on good parts that it has not seen, and keeps the one that finds most at the promised false\n"
      "rejects; what cannot be told apart is decided by speed. docs/choose.md says what that promises.\n\n"
      "Example:\n  glint choose sleeves -o choice --budget 15m --latency 100ms\n"
      "  glint evaluate choice/model.glint sleeves -o report");
  return [args] { return run(*args); };
}

}  // namespace glint
