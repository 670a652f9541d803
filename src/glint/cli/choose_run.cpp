#include "glint/cli/choose_run.h"

#include <cstdio>

#include "glint/base/duration.h"
#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/report/choose_report.h"

namespace glint {

void ChooseArguments::add_to(CLI::App& verb) {
  verb.add_option(
          "--budget", budget,
          "time for training and judging candidates: 90s, 15m, 2h; one that has begun may finish, and the "
          "winner's own training comes on top")
      ->capture_default_str();
  verb.add_option("--latency", latency,
                  "most time for one image, from the decoded photograph to the score, such as 100ms; slower "
                  "candidates are left out");
  verb.add_option("--methods", methods, "choose among these only, comma separated")->delimiter(',');
}

ChooseOutcome run_choice(const ChooseArguments& choose, const TrainArguments& train,
                         std::optional<std::int64_t> seed, const Dataset& dataset,
                         const std::filesystem::path& out, ProgressSink& progress) {
  if (!train.align.empty() || train.shots)
    fail(ErrorCode::kConfig, "{} does not go with a choice, which {}; name a --method",
         train.shots ? "--shots" : "--align",
         train.shots ? "trains every candidate on the same good parts" : "tries both by itself");
  for (const std::string& setting : train.set) {
    for (const char* decided : {"input.size=", "input.tiles=", "input.align=", "calibration.mode=",
                                "train.shots=", "calibration.false_reject="}) {
      if (setting.starts_with(decided))
        fail(ErrorCode::kConfig, "--set {} does not go with a choice, which decides it; name a --method",
             setting);
    }
  }
  ChooseOptions options;
  options.budget.seconds = parse_seconds(choose.budget, "--budget");
  if (!choose.latency.empty()) options.budget.latency_ms = 1000 * parse_seconds(choose.latency, "--latency");
  options.false_reject = train.false_reject.value_or(0);
  options.seed = static_cast<std::uint64_t>(seed.value_or(0));
  options.candidates = built_in_candidates(train.backbone, choose.methods);
  options.configure = [&](const std::string& method) {
    return train.make(method, seed, /*skip_other_methods=*/true);
  };
  options.out = out;
  for (const char* file : {"choose.json", "choose.html"}) check_output_file(out / file);
  const ChooseOutcome outcome = choose_model(dataset, options, progress);
  write_text(out / "choose.html", choose_report(outcome, dataset));
  std::printf("%scalibration: %s\n", choose_text(outcome).c_str(), outcome.guarantee.c_str());
  return outcome;
}

}  // namespace glint
