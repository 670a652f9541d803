#include "glint/study/study.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/metrics/estimate_json.h"
#include "glint/study/study_list.h"

namespace glint {
namespace {

using nlohmann::json;

json cell_json(const StudyCell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  if (const auto* value = std::get_if<double>(&cell)) return number_json(*value);
  return estimate_json(std::get<Estimate>(cell));
}

std::string cell_text(const StudyCell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  if (const auto* value = std::get_if<double>(&cell))
    return std::isfinite(*value) ? fmt::format("{:.3f}", *value) : "–";
  const auto& e = std::get<Estimate>(cell);
  if (!std::isfinite(e.value)) return "–";
  return std::isfinite(e.ci_low) ? fmt::format("{:.3f} [{:.3f}, {:.3f}]", e.value, e.ci_low, e.ci_high)
                                 : fmt::format("{:.3f}", e.value);
}

}  // namespace

Arm StudyInput::refined() const {
  Arm arm = refined_with("refined", {});
  arm.keep_epochs = true;
  return arm;
}

Arm StudyInput::refined_with(const std::string& name, const std::vector<std::string>& settings) const {
  return {name, dataset, [configure = options.configure, settings](int seed) {
            const std::string method = study_methods().front();
            auto config = configure(method, Recipe::kRefined, seed);
            OptionTable table = config->table();
            for (const std::string& setting : settings) {
              const bool own = setting.substr(0, setting.find('=')).find('.') == std::string::npos;
              table.set_assignment(own ? method + "." + setting : setting);
            }
            return config;
          }};
}

const std::vector<Study>& studies() {
  static const std::vector<Study> kStudies = {
      {"baseline", "Is the refined recipe better than the baseline?", baseline_arms, baseline_report},
      {"augmentation", "Which augmentation helps?", augmentation_arms, augmentation_report},
      {"saturation", "When does training saturate, and does clipping prevent it?", saturation_arms,
       saturation_report},
      {"smoothing", "How much should the anomaly map be smoothed?", refined_only, smoothing_report},
      {"aggregation", "How should a map become one score?", refined_only, aggregation_report},
      {"noise-clean", "Does taking suspicious images out of training help?", noise_clean_arms,
       noise_clean_report},
      {"leakage", "How much do training images in the test set, and choices made on it, inflate the figures?",
       leakage_arms, leakage_report},
      {"test-size", "How large must the test set be?", refined_only, test_size_report},
      {"methods", "Is the stronger localiser also the better judge?", methods_arms, methods_report},
      {"failures", "What is missed, what is rejected wrongly, and why?", refined_only, failures_report},
      {"simplenet", "Why does SimpleNet lag, and which fix helps?", simplenet_arms, simplenet_report,
       /*in_all=*/false},
      {"choice", "Does a choice from good parts alone agree with the test set?", choice_arms, choice_report,
       /*in_all=*/false},
      {"contamination", "What do defective parts among the training images cost?", contamination_arms,
       contamination_report, /*in_all=*/false}};
  return kStudies;
}

const Study& find_study(const std::string& name) {
  std::vector<std::string> names;
  for (const Study& study : studies()) {
    if (study.name == name) return study;
    names.push_back(study.name);
  }
  const std::string near = nearest_name(name, names);
  std::string list;
  for (const std::string& n : names) list += (list.empty() ? "" : ", ") + n;
  fail(ErrorCode::kConfig, "no study '{}'{}: {} or all", name,
       near.empty() ? "" : "; did you mean '" + near + "'?", list);
}

StudyReport run_study(const Study& study, const StudyInput& input, ArmRunner& runner) {
  int good = 0, anomalous = 0;
  for (const Sample& sample : input.dataset->test) (sample.anomalous() ? anomalous : good) += 1;
  if (good < 2 || anomalous < 2) {
    fail(ErrorCode::kBadInput, "{}: {} good and {} anomalous test images; a study needs at least two of each",
         input.dataset->root.string(), good, anomalous);
  }
  const std::vector<ArmResult> arms = runner.run(study.arms(input), input.options.seeds);
  const auto trained =
      std::find_if(arms.begin(), arms.end(), [](const ArmResult& a) { return !a.runs.empty(); });
  if (trained == arms.end()) fail(ErrorCode::kBadInput, "study {}: nothing could be trained", study.name);
  StudyReport report = study.report(input, arms);
  report.name = study.name;
  report.question = study.question;
  const Model& model = trained->runs[0]->model;
  report.notes.insert(
      report.notes.begin(),
      fmt::format(
          "Dataset {}: {} training images, {} good and {} anomalous test images. Backbone {}, {} seed{}, "
          "promised false rejects {:.3g} %.",
          input.dataset->name(), input.dataset->train.size(), good, anomalous, model.backbone.name,
          input.options.seeds, input.options.seeds == 1 ? "" : "s",
          100 * model.record.value(json::json_pointer("/decision/wished_rate"), 0.0)));
  return report;
}

std::string difference_sentence(const std::string& figure, const std::string& first,
                                const std::string& second, const Estimate& difference) {
  const std::string shown =
      fmt::format("{:+.3f} [{:+.3f}, {:+.3f}]", difference.value, difference.ci_low, difference.ci_high);
  if (!std::isfinite(difference.ci_low))
    return fmt::format("{}: {} minus {} is {:+.3f}; no interval could be formed.", figure, first, second,
                       difference.value);
  if (difference.ci_low > 0)
    return fmt::format("{}: {} is better than {} by {}.", figure, first, second, shown);
  if (difference.ci_high < 0)
    return fmt::format("{}: {} is worse than {}, by {}.", figure, first, second, shown);
  return fmt::format("{}: {} and {} cannot be told apart ({}).", figure, first, second, shown);
}

std::vector<StudyCell> figure_cells(const ArmResult& arm) {
  const MeanFigure image = mean_figure(arm, ArmFigure::kImageAuroc);
  return {image.estimate, seeds_range(image.lowest, image.highest, arm.runs.size()),
          mean_figure(arm, ArmFigure::kPixelAuroc).estimate, mean_figure(arm, ArmFigure::kAupro).estimate};
}

json study_json(const StudyReport& report, const Dataset& dataset) {
  json tables = json::array(), charts = json::array();
  for (const StudyTable& table : report.tables) {
    json rows = json::array();
    for (const auto& row : table.rows) {
      json cells = json::array();
      for (const StudyCell& cell : row) cells.push_back(cell_json(cell));
      rows.push_back(std::move(cells));
    }
    tables.push_back(
        {{"title", table.title}, {"columns", table.columns}, {"rows", rows}, {"note", table.note}});
  }
  for (const StudyChart& chart : report.charts) {
    json curves = json::object();
    for (const StudyCurve& curve : chart.curves) {
      json points = json::array();
      for (const CurvePoint& p : curve.points) points.push_back({number_json(p.x), number_json(p.y)});
      curves[curve.name] = std::move(points);
    }
    charts.push_back(
        {{"title", chart.title}, {"x", chart.x_label}, {"y", chart.y_label}, {"curves", curves}});
  }
  return {{"schema_version", 1},
          {"study", report.name},
          {"question", report.question},
          {"findings", report.findings},
          {"study_says", report.study_says},
          {"tables", tables},
          {"charts", charts},
          {"notes", report.notes},
          {"dataset", {{"name", dataset.name()}, {"fingerprint", dataset.fingerprint()}}}};
}

std::string study_markdown(const StudyReport& report) {
  std::string out = fmt::format("## {}: {}\n\n", report.name, report.question);
  for (const std::string& finding : report.findings) out += "- " + finding + "\n";
  if (!report.study_says.empty()) out += "\nThe study: " + report.study_says + "\n";
  for (const StudyTable& table : report.tables) {
    out += "\n" + (table.title.empty() ? "" : table.title + "\n\n");
    std::string rule;
    for (const std::string& column : table.columns) {
      out += "| " + column + " ";
      rule += "|---";
    }
    out += "|\n" + rule + "|\n";
    for (const auto& row : table.rows) {
      for (const StudyCell& cell : row) out += "| " + cell_text(cell) + " ";
      out += "|\n";
    }
    if (!table.note.empty()) out += "\n" + table.note + "\n";
  }
  for (const std::string& note : report.notes) out += "\n" + note + "\n";
  return out + "\n";
}

}  // namespace glint
