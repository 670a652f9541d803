// glint limit

#include <cstdio>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/cli/verbs.h"
#include "glint/inspect/open_detector.h"
#include "glint/limit/limit.h"
#include "glint/report/limit_report.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

struct LimitCommand {
  std::string model, dataset, out, device = "auto", precision = "auto";
  std::vector<std::string> kinds;
  std::optional<double> false_reject;
  LimitOptions options;
};

int run(LimitCommand args) {
  const fs::path out = args.out;
  for (const char* file : {"limit.json", "limit.html"}) check_output_file(out / file);
  const auto progress = make_terminal_progress();
  const OpenedDetector detector =
      open_detector(args.model, {parse_enum<DeviceChoice>(args.device, "--device"),
                                 parse_enum<Precision>(args.precision, "--precision")});
  for (const std::string& notice : detector.notices) progress->message("notice: " + notice);
  const Dataset dataset = scan_dataset(args.dataset, {DatasetUse::kEvaluate, false}, *progress);
  for (const std::string& warning : dataset.warnings) progress->message("warning: " + warning);
  LimitOptions& options = args.options;
  if (!args.kinds.empty()) options.kinds.clear();
  for (const std::string& kind : args.kinds)
    options.kinds.push_back(parse_enum<SyntheticDefect>(kind, "--defects"));
  options.false_reject = args.false_reject.value_or(detector.decision.conformal.wished_rate);
  if (options.largest_px <= options.smallest_px)
    fail(ErrorCode::kConfig, "--largest {} must be above --smallest {}", options.largest_px,
         options.smallest_px);
  const LimitStudy study = measure_limit(detector.model, detector.inspector, dataset, options, *progress);
  write_text(out / "limit.json", limit_json(study).dump(2) + "\n");
  write_text(out / "limit.html", limit_report(study, dataset, args.model));
  std::printf("%swrote %s, limit.json\n", limit_text(study).c_str(), (out / "limit.html").c_str());
  return kExitOk;
}

}  // namespace

Action add_limit(CLI::App& verb) {
  auto args = std::make_shared<LimitCommand>();
  LimitOptions& options = args->options;
  verb.add_option("model", args->model, "model file")->required();
  verb.add_option("dataset", args->dataset, "folder whose test/good carries the defects")->required();
  verb.add_option("-o,--out", args->out, "folder for limit.html and limit.json")->required();
  verb.add_option("--defects", args->kinds, "scratch, blob, stain, cutpaste (default all), comma separated")
      ->delimiter(',');
  verb.add_option("--contrast", options.contrasts, "shares of the grey range, comma separated")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::Range(0.001, 1.0));
  verb.add_option("--smallest", options.smallest_px, "size where the ladder starts, pixels")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  verb.add_option("--largest", options.largest_px, "size where it ends, pixels")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  verb.add_option("--sizes", options.sizes, "steps of the ladder")
      ->capture_default_str()
      ->check(CLI::Range(3, 50));
  verb.add_option("--trials", options.trials, "defects of each kind, contrast and size")
      ->capture_default_str()
      ->check(CLI::Range(5, 10000));
  verb.add_option("--pixel-pitch", options.pixel_pitch_um, "micrometres per pixel: sizes in millimetres too")
      ->check(CLI::PositiveNumber);
  verb.add_option("--false-reject", args->false_reject, "rate of the threshold (default: the model's)")
      ->check(CLI::Range(1e-6, 0.5));
  verb.add_option("--seed", options.seed, "places and shapes of the defects")->capture_default_str();
  verb.add_option("--device", args->device, "auto, cpu or cuda")->capture_default_str();
  verb.add_option("--precision", args->precision, "auto, float32 or bfloat16")->capture_default_str();
  return [args] { return run(*args); };
}

}  // namespace glint
