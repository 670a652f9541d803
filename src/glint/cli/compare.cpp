// glint compare

#include <cstdio>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/cli/train_options.h"
#include "glint/cli/verbs.h"
#include "glint/nn/runtime.h"
#include "glint/report/compare_report.h"
#include "glint/study/compare.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

struct CompareCommand {
  std::vector<std::string> datasets, methods = study_methods();
  std::string out;
  int seeds = 3;
  TrainArguments train;
};

int run(const CompareCommand& args) {
  const fs::path out = args.out;
  for (const char* file : {"compare.json", "compare.html"}) check_output_file(out / file);
  make_folder(out / "models");
  const auto progress = make_terminal_progress();
  if (const std::string warning = blas_warning(); !warning.empty()) progress->message("warning: " + warning);
  const Dataset dataset = scan_training_data(args.datasets, "", {DatasetUse::kEvaluate}, *progress);
  CompareOptions options;
  options.methods = args.methods;
  options.seeds = args.seeds;
  options.models = out / "models";
  options.configure = [&args](const std::string& method, int seed) {
    return args.train.make(method, seed, /*skip_other_methods=*/true);
  };
  const Comparison comparison = compare_methods(dataset, options, *progress);
  write_text(out / "compare.json", comparison_json(comparison, dataset).dump(2) + "\n");
  write_text(out / "compare.html", comparison_report(comparison, dataset));
  std::printf("%s", comparison_text(comparison).c_str());
  std::printf("wrote %s, compare.json, models/\n", (out / "compare.html").c_str());
  return kExitOk;
}

}  // namespace

Action add_compare(CLI::App& verb) {
  auto args = std::make_shared<CompareCommand>();
  verb.add_option("dataset", args->datasets, "folder in MVTec layout, with a test set; several: one detector")
      ->required();
  verb.add_option("-o,--out", args->out, "folder for compare.html, compare.json and the trained models")
      ->required();
  verb.add_option("--methods", args->methods, "comma separated")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::IsMember(method_names()));
  verb.add_option("--seeds", args->seeds, "repetitions with seeds 0, 1, ...")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  args->train.add_to(verb);
  return [args] { return run(*args); };
}

}  // namespace glint
