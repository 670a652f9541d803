// glint train

#include <cstdio>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/cli/verbs.h"
#include "glint/eval/decision.h"
#include "glint/eval/fit.h"

namespace glint {
namespace {

struct Arguments {
  std::string dataset, out, method = "simplenet", recipe = "refined", backbone = "compact", config;
  std::string augment, device;
  std::optional<double> false_reject;
  std::optional<std::int64_t> seed;
  std::vector<std::string> set;
  bool resume = false, allow_leakage = false, without_backbone = false, keep_epochs = false,
       list_options = false;
};

/// Recipe first, then the file, then the named options, then --set: the later wins.
void apply(TrainConfig& config, const Arguments& args) {
  OptionTable table = config.table();
  if (!args.config.empty()) {
    const auto json = nlohmann::json::parse(read_text(args.config), nullptr, false, /*ignore_comments=*/true);
    if (json.is_discarded()) fail(ErrorCode::kConfig, "{}: is not valid JSON", args.config);
    try {
      table.set_all(json);
    } catch (const Error& e) {
      fail(ErrorCode::kConfig, "{}: {}", args.config, e.what());
    }
  }
  if (!args.augment.empty()) table.set("augment.regime", args.augment);
  if (!args.device.empty()) table.set("train.device", args.device);
  if (args.false_reject) table.set("calibration.false_reject", *args.false_reject);
  if (args.seed) table.set("train.seed", *args.seed);
  for (const std::string& assignment : args.set) table.set_assignment(assignment);
}

/// The tracker's readings of every tenth meta-epoch, by the names that model file and report use.
void print_series(const nlohmann::json& training) {
  if (training.contains("decision")) print_series(training["decision"]);
  const auto& series = training.at("series");
  for (const auto& reading : series) {
    const int epoch = reading.at("meta_epoch").get<int>();
    if (epoch % 10 != 0 && epoch != std::ssize(series) && epoch != 1) continue;
    std::printf("meta-epoch %3d", epoch);
    for (const auto& [key, value] : reading.items()) {
      if (key != "meta_epoch") std::printf("  %s %.4f", key.c_str(), value.get<double>());
    }
    std::printf("\n");
  }
}

int run(const Arguments& args) {
  TrainConfig config(args.method, args.backbone, parse_enum<Recipe>(args.recipe, "--recipe"));
  if (args.list_options) {
    const OptionTable table = config.table();
    for (const OptionField& field : table.fields()) {
      std::printf("%-44s %-12s %s (%s)\n", field.name.c_str(), field.get().dump().c_str(), field.help.c_str(),
                  field.values.c_str());
    }
    return kExitOk;
  }
  if (args.dataset.empty() || args.out.empty()) fail(ErrorCode::kConfig, "give a DATASET and -o MODEL");
  apply(config, args);
  const auto progress = make_terminal_progress();
  if (const std::string warning = blas_warning(); !warning.empty()) progress->message("warning: " + warning);
  const Dataset dataset = scan_dataset(args.dataset, {DatasetUse::kTrain, args.allow_leakage}, *progress);
  for (const std::string& warning : dataset.warnings) progress->message("warning: " + warning);
  FitOptions options;
  options.state = args.out + ".resume";
  options.resume = args.resume;
  options.include_backbone = !args.without_backbone;
  if (args.keep_epochs) options.epochs = args.out + ".epochs";
  const Model model = fit_model(config, dataset, options, *progress);
  save_model(model, args.out);

  print_series(model.record["training"]);
  std::printf("calibration: %s\n", model.record["decision"]["guarantee"].get<std::string>().c_str());
  const bool saturated = model.record["training"].value("saturated", false);
  std::printf(
      "wrote %s  threshold %.4f%s\n", args.out.c_str(), model.record["decision"]["threshold"].get<double>(),
      saturated ? "  SATURATED: real and fake are fully separated, the scores may carry no information" : "");
  return kExitOk;
}

}  // namespace

Action add_train(CLI::App& verb) {
  auto args = std::make_shared<Arguments>();
  verb.add_option("dataset", args->dataset, "folder in MVTec layout, or a flat folder of good images");
  verb.add_option("-o,--out", args->out, "model file to write");
  verb.add_option("--method", args->method, "detection method")
      ->capture_default_str()
      ->check(CLI::IsMember(method_names()));
  verb.add_option("--recipe", args->recipe, "refined or baseline (docs/recipes.md)")->capture_default_str();
  verb.add_option("--backbone", args->backbone, "name from `glint backbone list`, or a weight file")
      ->capture_default_str();
  verb.add_option("--augment", args->augment, "none, mild or strong; default as the recipe says");
  verb.add_option("--false-reject", args->false_reject,
                  "tolerable share of good parts rejected (default 0.01)");
  verb.add_option("--seed", args->seed, "same seed, same data, same machine: same model");
  verb.add_option("--device", args->device, "auto, cpu or cuda");
  verb.add_option("--config", args->config, "JSON file with any of the options of --options")
      ->check(CLI::ExistingFile);
  verb.add_option("--set", args->set, "one option, e.g. --set simplenet.noise_std=0.02; repeatable");
  verb.add_flag("--options", args->list_options, "list every option with its value and leave");
  verb.add_flag("--resume", args->resume, "go on from MODEL.resume after an interruption");
  verb.add_flag("--keep-epochs", args->keep_epochs,
                "keep the weights of every meta-epoch in MODEL.epochs (for evaluate --oracle-epochs)");
  verb.add_flag("--without-backbone", args->without_backbone,
                "leave the backbone's weights out of the model file");
  verb.add_flag("--allow-leakage", args->allow_leakage,
                "accept test images that are also training images; for experiments");
  return [args] { return run(*args); };
}

}  // namespace glint
