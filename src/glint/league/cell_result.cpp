#include "glint/league/cell_result.h"

#include <cmath>
#include <limits>
#include <map>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/metrics/estimate_json.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

constexpr int kResultSchema = 1;
constexpr const char* kReplicateNames[] = {"pixel_auroc", "pixel_ap", "pixel_f1max", "aupro"};

double number_or_nan(const json& j) {
  return j.is_null() ? std::numeric_limits<double>::quiet_NaN() : j.get<double>();
}

Estimate estimate_from(const json& j) {
  return {number_or_nan(j.at("value")), number_or_nan(j.at("ci_low")), number_or_nan(j.at("ci_high"))};
}

json replicates_json(const PixelMetrics& pixel) {
  json out = json::object();
  for (std::size_t i = 0; i < pixel.replicates.size(); ++i) {
    json values = json::array();
    for (const double v : pixel.replicates[i]) values.push_back(number_json(v));
    out[kReplicateNames[i]] = std::move(values);
  }
  return out;
}

json run_json(const ArmRun& run) {
  json images = json::array();
  for (const ScoredImage& image : run.evaluation.images) {
    images.push_back({{"id", utf8_text(image.sample.id)},
                      {"class", utf8_text(image.sample.label)},
                      {"score", number_json(image.score)},
                      {"p_value", number_json(image.p_value)},
                      {"rejected", image.rejected}});
  }
  return {{"seed", run.seed},
          {"images", images},
          {"replicates", replicates_json(run.evaluation.pixel)},
          {"pixel_units", run.evaluation.pixel.units},
          {"training_seconds", run.training_seconds},
          {"milliseconds_per_image", run.milliseconds_image},
          {"peak_mib", run.peak_mib},
          {"model_mib", run.model_mib}};
}

std::shared_ptr<ArmRun> run_from(const json& j, const json& results) {
  auto run = bare_run(j.at("seed").get<int>());
  run->training_seconds = j.at("training_seconds").get<double>();
  run->milliseconds_image = j.at("milliseconds_per_image").get<double>();
  run->peak_mib = j.at("peak_mib").get<double>();
  run->model_mib = j.at("model_mib").get<double>();
  Evaluation& e = run->evaluation;
  e.image_auroc = estimate_from(results.at("image_auroc"));
  e.pixel.auroc = estimate_from(results.at("pixel_auroc"));
  e.pixel.average_precision = estimate_from(results.at("pixel_ap"));
  e.pixel.aupro = estimate_from(results.at("aupro"));
  e.pixel.units = j.at("pixel_units").get<std::int64_t>();
  for (std::size_t i = 0; i < e.pixel.replicates.size(); ++i) {
    for (const json& v : j.at("replicates").at(kReplicateNames[i]))
      e.pixel.replicates[i].push_back(number_or_nan(v));
  }
  for (const json& i : j.at("images")) {
    ScoredImage image;
    image.sample.id = i.at("id").get<std::string>();
    image.sample.label = i.at("class").get<std::string>();
    image.sample.role = Role::kTest;
    image.score = number_or_nan(i.at("score"));
    image.p_value = number_or_nan(i.at("p_value"));
    image.rejected = i.at("rejected").get<bool>();
    e.images.push_back(std::move(image));
  }
  e.warnings = results.at("warnings").get<std::vector<std::string>>();
  return run;
}

}  // namespace

std::shared_ptr<ArmRun> bare_run(int seed) {
  Decision decision{"", "", {}, {}, Scorer(ScoringOptions{}, ImageSize{1, 1}, {})};
  return std::make_shared<ArmRun>(ArmRun{seed, Model{}, nullptr, Evaluation{std::move(decision)}});
}

json CellResult::to_json() const {
  json out = {{"schema_version", kResultSchema}, {"id", id},
              {"status", enum_name(status)},     {"reason", utf8_text(reason)},
              {"worker", utf8_text(worker)},     {"claim", generation},
              {"wall_seconds", wall_seconds}};
  if (status != CellStatus::kDone) return out;
  out["backbone"] = backbone;
  out["model_file"] = model_file;
  out["results"] = results;
  out["pictures"] = pictures;
  out["run"] = run_json(*run);
  return out;
}

CellResult CellResult::from_json(const json& j, const std::string& name) {
  CellResult out;
  try {
    if (j.at("schema_version") != kResultSchema)
      fail(ErrorCode::kBadInput, "{}: schema_version is not {}; remove the file", name, kResultSchema);
    out.id = j.at("id").get<std::string>();
    out.status = parse_enum<CellStatus>(j.at("status").get<std::string>(), "status");
    out.reason = j.at("reason").get<std::string>();
    out.worker = j.at("worker").get<std::string>();
    out.generation = j.at("claim").get<int>();
    out.wall_seconds = j.at("wall_seconds").get<double>();
    if (out.status != CellStatus::kDone) return out;
    out.backbone = j.at("backbone").get<std::string>();
    out.model_file = j.at("model_file").get<std::string>();
    out.results = j.at("results");
    out.pictures = j.at("pictures").get<std::vector<std::string>>();
    out.run = run_from(j.at("run"), out.results);
  } catch (const json::exception& e) {
    fail(ErrorCode::kBadInput, "{}: not the result of a cell ({}); remove the file", name, e.what());
  }
  return out;
}

std::optional<CellResult> load_result(const LeagueFolder& folder, const std::string& id) {
  const fs::path file = folder.result(id);
  if (!fs::exists(file)) return std::nullopt;
  const std::string name = name_line(file);
  const json j = json::parse(read_text(file), nullptr, false);
  if (j.is_discarded()) fail(ErrorCode::kBadInput, "{}: is not valid JSON; remove the file", name);
  CellResult result = CellResult::from_json(j, name);
  if (result.id != id)
    fail(ErrorCode::kBadInput, "{}: is the result of cell {}; remove the file", name, result.id);
  return result;
}

std::vector<CellResult> load_results(const LeagueFolder& folder, const LeaguePlan& plan) {
  std::vector<CellResult> out;
  for (const Cell& cell : plan.cells) {
    if (auto result = load_result(folder, cell.id)) out.push_back(std::move(*result));
  }
  return out;
}

std::vector<std::size_t> shown_parts(const Dataset& dataset, std::size_t count) {
  std::map<std::string, std::vector<std::size_t>> by_class;
  for (std::size_t i = 0; i < dataset.test.size(); ++i) by_class[dataset.test[i].label].push_back(i);
  std::vector<std::size_t> out;
  for (std::size_t round = 0; out.size() < count; ++round) {
    const std::size_t before = out.size();
    for (const auto& [label, parts] : by_class) {
      if (round < parts.size() && out.size() < count) out.push_back(parts[round]);
    }
    if (out.size() == before) break;
  }
  return out;
}

}  // namespace glint
