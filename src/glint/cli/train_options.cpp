#include "glint/cli/train_options.h"

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"

namespace glint {
namespace {

bool has_option(const OptionTable& table, const std::string& name) {
  const auto fields = table.fields();
  return std::any_of(fields.begin(), fields.end(), [&](const OptionField& f) { return f.name == name; });
}

nlohmann::json read_config(const std::string& file) {
  auto json = nlohmann::json::parse(read_text(file), nullptr, false, /*ignore_comments=*/true);
  if (json.is_discarded()) fail(ErrorCode::kConfig, "{}: is not valid JSON", name_line(file));
  return json;
}

/// The whole path of what is a file or folder; else the text.
std::string whole_path(const std::string& name) {
  return !name.empty() && std::filesystem::exists(name)
             ? std::filesystem::absolute(name).lexically_normal().string()
             : name;
}

/// The method that has an option which `table` lacks; empty when none has.
std::string other_method_of(const OptionTable& table, const std::string& name) {
  if (has_option(table, name)) return "";
  for (const std::string& other : method_names()) {
    const auto method = make_method(other);
    OptionTable options;
    method->describe(options);
    if (has_option(options, name)) return other;
  }
  return "";
}

}  // namespace

void TrainArguments::add_to(CLI::App& verb, bool with_recipe) {
  if (with_recipe) {
    verb.add_option("--recipe", recipe, "refined, baseline or ensemble (docs/recipes.md)")
        ->capture_default_str();
  }
  verb.add_option("--backbone", backbone, "name from `glint backbone list`, or a weight file")
      ->capture_default_str();
  verb.add_option("--augment", augment,
                  "none, mild, strong or offline (an enlarged set, made once); default as the recipe says");
  verb.add_option(
      "--align", align,
      "none, rigid (each part is turned and shifted to one pose first) or auto (rigid if it steadies "
      "good parts' scores; docs/alignment.md); default none");
  verb.add_option(
      "--false-reject", false_reject,
      "tolerable share of good parts rejected (default 0.01, more where the images cannot promise it)");
  verb.add_option("--shots", shots,
                  "few-shot: train on this many good images of each category, calibrate on the others");
  verb.add_option(
      "--textures", textures,
      "folder of pictures of other things, for a method that trains from textures or from defects "
      "made of them; default: rendered ones");
  verb.add_option("--device", device, "auto, cpu or cuda");
  verb.add_option("--config", config, "JSON file with any of the options of `train --options`")
      ->check(CLI::ExistingFile);
  verb.add_option("--set", set, "one option, e.g. --set simplenet.noise_std=0.02; repeatable");
}

std::unique_ptr<TrainConfig> TrainArguments::make(const std::string& method, std::optional<std::int64_t> seed,
                                                  bool skip_other_methods) const {
  auto out = std::make_unique<TrainConfig>(method, backbone, parse_enum<Recipe>(recipe, "--recipe"));
  OptionTable table = out->table();
  if (!config.empty()) {
    try {
      table.set_all(config_content.is_null() ? read_config(config) : config_content);
    } catch (const Error& e) {
      fail(ErrorCode::kConfig, "{}: {}", name_line(config), e.what());
    }
  }
  if (!augment.empty()) table.set("augment.regime", augment);
  if (!align.empty()) table.set("input.align", align);
  if (!device.empty()) table.set("train.device", device);
  if (!textures.empty() && (!skip_other_methods || out->method->needs().uses_textures()))
    table.set("train.textures", textures);
  if (false_reject) table.set("calibration.false_reject", *false_reject);
  if (shots) table.set("train.shots", *shots);
  if (seed) table.set("train.seed", *seed);
  for (const std::string& assignment : set) {
    const std::string name = assignment.substr(0, assignment.find('='));
    const std::string other = other_method_of(table, name);
    if (!other.empty() && skip_other_methods) continue;
    if (!other.empty())
      fail(ErrorCode::kConfig, "{} is an option of {}; give --method {}", name, other, other);
    table.set_assignment(assignment);
  }
  return out;
}

nlohmann::json TrainArguments::to_json() const {
  nlohmann::json out = {{"recipe", recipe},   {"backbone", name_text(whole_path(backbone))},
                        {"augment", augment}, {"align", align},
                        {"device", device},   {"textures", name_text(whole_path(textures))},
                        {"set", set}};
  if (!config.empty()) {
    out["config"] = name_text(config);
    out["config_content"] = config_content.is_null() ? read_config(config) : config_content;
  }
  if (false_reject) out["false_reject"] = *false_reject;
  if (shots) out["shots"] = *shots;
  return out;
}

TrainArguments TrainArguments::from_json(const nlohmann::json& settings) {
  TrainArguments out;
  try {
    out.recipe = settings.at("recipe").get<std::string>();
    out.backbone = name_bytes(settings.at("backbone").get<std::string>());
    out.augment = settings.at("augment").get<std::string>();
    out.align = settings.at("align").get<std::string>();
    out.device = settings.at("device").get<std::string>();
    out.textures = name_bytes(settings.at("textures").get<std::string>());
    out.set = settings.at("set").get<std::vector<std::string>>();
    if (settings.contains("config")) {
      out.config = name_bytes(settings.at("config").get<std::string>());
      out.config_content = settings.at("config_content");
    }
    if (settings.contains("false_reject")) out.false_reject = settings.at("false_reject").get<double>();
    if (settings.contains("shots")) out.shots = settings.at("shots").get<int>();
  } catch (const nlohmann::json::exception& e) {
    fail(ErrorCode::kBadInput, "the plan's settings: {}; plan again", e.what());
  }
  return out;
}

Dataset scan_training_data(const std::vector<std::string>& folders, const std::string& exclude,
                           const DatasetOptions& options, ProgressSink& progress) {
  Dataset dataset = scan_datasets({folders.begin(), folders.end()}, options, progress);
  if (!exclude.empty()) {
    progress.message(
        fmt::format("{} images excluded by {}", exclude_samples(dataset, exclude), name_line(exclude)));
  }
  leave_out_copies(dataset);
  for (const std::string& warning : dataset.warnings) progress.message("warning: " + warning);
  return dataset;
}

}  // namespace glint
