// glint evaluate

#include <cstdio>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/cli/verbs.h"
#include "glint/evaluate/evaluate.h"
#include "glint/image/codec.h"
#include "glint/image/overlay.h"
#include "glint/inspect/open_detector.h"
#include "glint/inspect/picture_names.h"
#include "glint/report/evaluation_report.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

struct EvaluateCommand {
  std::string model, dataset, out, image_score, device = "auto", precision = "auto";
  std::vector<std::string> set;
  std::optional<double> false_reject;
  bool allow_leakage = false, oracle = false, no_maps = false;
};

void write_maps(const Evaluation& evaluation, const Inspector& inspector, const fs::path& folder,
                ProgressSink& progress) {
  const ColourScale scale = colour_scale(evaluation);
  progress.begin("writing maps", std::ssize(evaluation.images));
  std::vector<const Sample*> samples;
  for (const ScoredImage& image : evaluation.images) samples.push_back(&image.sample);
  const std::vector<fs::path> names = map_names(samples);
  std::size_t done = 0;
  for (const ScoredImage& image : evaluation.images) {
    throw_if_cancelled();
    const ScoreMap map = full_map(image, inspector, evaluation.decision.scorer);
    const RgbImage overlay = heat_overlay(read_image(image.sample.path), map, scale.low, scale.high);
    write_file(folder / names[done], encode_jpeg(overlay, 88));
    progress.advance(static_cast<std::int64_t>(++done), "");
  }
  progress.end();
}

/// Maps beside the dataset's own pictures must not replace them.
void check_maps(const Dataset& dataset, const fs::path& folder) {
  std::vector<const Sample*> samples;
  std::vector<fs::path> photographs;
  for (const Sample& sample : dataset.test) {
    samples.push_back(&sample);
    photographs.push_back(sample.path);
  }
  check_pictures(folder, map_names(samples), photographs);
}

int run(const EvaluateCommand& args) {
  const fs::path out = args.out;
  for (const char* file : {"results.json", "scores.csv", "report.html"}) check_output_file(out / file);
  const auto progress = make_terminal_progress();
  const OpenedDetector detector =
      open_detector(args.model, {parse_enum<DeviceChoice>(args.device, "--device"),
                                 parse_enum<Precision>(args.precision, "--precision")});
  const Model& model = detector.model;
  const Inspector& inspector = detector.inspector;
  const Dataset dataset = scan_dataset(args.dataset, {DatasetUse::kEvaluate, args.allow_leakage}, *progress);
  if (!args.no_maps) check_maps(dataset, out / "maps");
  EvaluateOptions options;
  options.scoring = model.scoring;
  OptionTable table;
  options.scoring.describe(table);
  if (!args.image_score.empty()) table.set("scoring.image_score", args.image_score);
  for (const std::string& assignment : args.set) table.set_assignment(assignment);
  options.false_reject = args.false_reject.value_or(detector.decision.conformal.wished_rate);

  const Evaluation evaluation =
      evaluate_model(model, inspector, dataset, options, args.allow_leakage, *progress);
  nlohmann::json results = results_json(evaluation, model, dataset);
  std::string oracle_text;
  if (args.oracle) {
    const auto epochs = oracle_epochs(model, args.model + ".epochs", dataset, options.scoring, *progress);
    nlohmann::json series = nlohmann::json::array();
    double best = 0;
    for (const OracleEpoch& epoch : epochs) {
      series.push_back({{"meta_epoch", epoch.meta_epoch}, {"image_auroc", epoch.image_auroc}});
      best = std::max(best, epoch.image_auroc);
    }
    results["oracle_not_a_result"] = {{"epochs", series}, {"best_image_auroc", best}};
    oracle_text = fmt::format(
        "oracle, not a result: choosing the epoch on the test set would show image AUROC {:.4f} instead of "
        "{:.4f}\n",
        best, evaluation.image_auroc.value);
  }
  write_text(out / "results.json", results.dump(2) + "\n");
  write_text(out / "scores.csv", scores_csv(evaluation));
  if (!args.no_maps) write_maps(evaluation, inspector, out / "maps", *progress);
  write_text(out / "report.html", evaluation_report(evaluation, model, dataset, inspector, oracle_text));
  std::printf("%s%s", summary_text(evaluation).c_str(), oracle_text.c_str());
  std::printf("wrote %s, results.json, scores.csv%s\n", (out / "report.html").c_str(),
              args.no_maps ? "" : ", maps/");
  return kExitOk;
}

}  // namespace

Action add_evaluate(CLI::App& verb) {
  auto args = std::make_shared<EvaluateCommand>();
  verb.add_option("model", args->model, "model file")->required();
  verb.add_option("dataset", args->dataset, "folder with test/good and test/<defect class>")->required();
  verb.add_option("-o,--out", args->out, "folder for report.html, results.json, scores.csv, maps/")
      ->required();
  verb.add_option("--image-score", args->image_score,
                  "map_max, patch_max, top_mean or attention: compare without retraining");
  verb.add_option("--false-reject", args->false_reject, "another tolerable rate than the model's");
  verb.add_option("--set", args->set, "one scoring option, e.g. --set scoring.smoothing_sigma=4");
  verb.add_option("--device", args->device, "auto, cpu or cuda")->capture_default_str();
  verb.add_option("--precision", args->precision,
                  "float32 or bfloat16; auto: the one that the model's threshold was set in")
      ->capture_default_str();
  verb.add_flag("--no-maps", args->no_maps, "do not write maps/");
  verb.add_flag("--oracle-epochs", args->oracle,
                "also show what choosing the epoch on the test set would claim; needs train --keep-epochs");
  verb.add_flag("--allow-leakage", args->allow_leakage,
                "evaluate although test images were trained on; the report says so first");
  return [args] { return run(*args); };
}

}  // namespace glint
