// glint split

#include <cstdio>

#include "glint/base/clock.h"
#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/cli/verbs.h"
#include "glint/data/split_lock.h"

namespace glint {
namespace {

struct SplitCommand {
  std::string dataset, out, pattern;
  bool replace = false;
  double test_share = 0.25;
  std::int64_t gap_seconds = 0, seed = 0;
};

Dataset scan(const SplitCommand& args) {
  const auto progress = make_terminal_progress();
  Dataset dataset = scan_dataset(
      args.dataset,
      {DatasetUse::kTrain, /*allow_leakage=*/true, FaultHandling::kRefuse, LockHandling::kIgnore}, *progress);
  for (const std::string& warning : dataset.warnings) progress->message("warning: " + warning);
  return dataset;
}

int lock(const SplitCommand& args) {
  const Dataset dataset = scan(args);
  std::printf("wrote %s (%zu training, %zu calibration, %zu test images)\n",
              name_line(lock_split(dataset, iso_time(unix_micros()), args.replace)).c_str(),
              dataset.train.size(), dataset.calibration.size(), dataset.test.size());
  return kExitOk;
}

int verify(const SplitCommand& args) {
  const auto differences = check_lock(scan(args));
  if (!differences)
    fail(ErrorCode::kNotFound, "{}: the split is not locked; glint split lock {}", name_line(args.dataset),
         name_line(args.dataset));
  if (differences->empty()) {
    std::printf("the dataset is as locked\n");
    return kExitOk;
  }
  std::printf("%s\n", differences->text(SIZE_MAX).c_str());
  return kExitFound;
}

int resplit(const SplitCommand& args, bool by_time) {
  const Dataset dataset = scan(args);
  const std::vector<Sample> good = good_images(dataset);
  const Resplit split =
      by_time ? split_by_time(good, args.test_share, args.gap_seconds)
              : split_by_group(good, args.test_share, args.pattern, static_cast<std::uint64_t>(args.seed));
  write_resplit(dataset, split, args.out);
  std::printf("%s\nwrote %s: %zu training and %zu good test images\n", split.rule.c_str(),
              name_line(args.out).c_str(), split.train.size(), split.test.size());
  return kExitOk;
}

}  // namespace

Action add_split(CLI::App& verb) {
  auto args = std::make_shared<SplitCommand>();
  auto chosen = std::make_shared<Action>();
  verb.require_subcommand(1);
  auto choose = [&](const char* name, const char* purpose, const Action& action) {
    CLI::App* sub = verb.add_subcommand(name, purpose);
    sub->add_option("dataset", args->dataset, "folder in MVTec layout")->required();
    sub->callback([chosen, action] { *chosen = action; });
    return sub;
  };
  choose("lock", "record which image plays which role (glint-split.json in the dataset)", [args] {
    return lock(*args);
  })->add_flag("--replace", args->replace, "write a new lock over an old one");
  choose("verify",
         "name every image that was moved, added, removed, changed or plays another role; exit 1 when there "
         "is one",
         [args] { return verify(*args); });
  CLI::App* time =
      choose("time", "copy the dataset, the latest good images testing (times in the file names)",
             [args] { return resplit(*args, true); });
  CLI::App* group = choose("group", "copy the dataset, whole groups of good images testing",
                           [args] { return resplit(*args, false); });
  for (CLI::App* sub : {time, group}) {
    sub->add_option("-o,--out", args->out, "new dataset folder")->required();
    sub->add_option("--test-share", args->test_share, "of the good images")
        ->capture_default_str()
        ->check(CLI::Range(0.01, 0.9));
  }
  time->add_option("--gap", args->gap_seconds, "seconds before the border that are left out")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  group
      ->add_option("--group", args->pattern,
                   "regular expression on the file name; its first group names the group")
      ->required();
  group->add_option("--seed", args->seed, "which groups test")->capture_default_str();
  verb.footer(
      "Example:\n  glint split lock sleeves\n  glint split time runs -o runs_by_time --test-share 0.3");
  return [chosen] { return (*chosen)(); };
}

}  // namespace glint
