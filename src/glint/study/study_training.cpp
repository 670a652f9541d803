// Studies whose arms differ in how they were trained.
#include <algorithm>
#include <cmath>
#include <set>

#include "glint/audit/features.h"
#include "glint/base/error.h"
#include "glint/data/augment.h"
#include "glint/nn/backbone_store.h"
#include "glint/study/study_list.h"

namespace glint {
namespace {

using nlohmann::json;

constexpr const char* kLoss = "loss";  // every method's (training_loop.h)

/// The readings that the arms' method names, by name; the loss alone where a kept model's record has no
/// names.
std::map<std::string, std::string> named_readings(const std::vector<ArmResult>& arms) {
  const auto& readings = arms[0].runs[0]->model.training.readings;
  return readings.empty() ? std::map<std::string, std::string>{{kLoss, kLoss}} : readings;
}

double last_reading(const ArmRun& run, const std::string& key) {
  const std::vector<EpochReading>& series = run.model.training.series;
  return series.empty() ? NAN : series.back().value(key);
}

double mean_last(const ArmResult& arm, const std::string& key) {
  double sum = 0;
  for (const auto& run : arm.runs) sum += last_reading(*run, key);
  return sum / static_cast<double>(arm.runs.size());
}

int saturated_runs(const ArmResult& arm) {
  int out = 0;
  for (const auto& run : arm.runs) out += run->model.training.saturated ? 1 : 0;
  return out;
}

/// One curve an arm (seed 0) over the meta-epochs.
StudyChart tracker_chart(const std::vector<const ArmResult*>& arms, const std::string& key,
                         const std::string& title) {
  StudyChart chart{title, "meta-epoch", "", {}, false};
  for (const ArmResult* arm : arms) {
    StudyCurve curve{arm->name, {}};
    for (const EpochReading& reading : arm->runs[0]->model.training.series)
      curve.points.push_back({static_cast<double>(reading.meta_epoch), reading.value(key)});
    chart.curves.push_back(std::move(curve));
  }
  return chart;
}

constexpr double kNoiseSigmas[] = {0.012, 0.015, 0.02, 0.05};

std::string saturation_name(double sigma, bool clipped) {
  return fmt::format("{:.3f}, {}", sigma, clipped ? "clipped" : "not clipped");
}

/// Ids that the audit's rule finds suspicious.
std::vector<std::string> suspicious_ids(const StudyInput& input) {
  std::vector<AuditedImage> images;
  for (const Sample& sample : input.dataset->train) images.push_back({sample});
  Backbone backbone = open_backbone("compact");
  backbone.to(DeviceChoice::kCpu, Precision::kAuto);
  const AuditFeatures features(images, backbone, *input.progress);
  constexpr int kFolds = 5;
  std::vector<std::string> out;
  for (const NormalClassScore& score : features.normal_class(kFolds, 0, *input.progress)) {
    if (score.deviations >= kSuspiciousDeviations) out.push_back(images[score.image].sample.id);
  }
  return out;
}

/// What differs from the arm's whole dataset in what the first run trained and calibrated with.
std::vector<std::string> excluded_ids(const ArmResult& arm, const Dataset& dataset) {
  std::set<std::string> used;
  for (const json& image : arm.runs[0]->model.record["dataset"]["images"]) used.insert(image.value("id", ""));
  std::vector<std::string> out;
  for (const Sample& sample : dataset.train) {
    if (used.count(sample.id) == 0) out.push_back(sample.id);
  }
  return out;
}

}  // namespace

StudyTable figure_table(const std::vector<ArmResult>& arms, const std::string& what) {
  StudyTable table{"", {what}, {}, kFigureNote};
  table.columns.insert(table.columns.end(), kFigureColumns.begin(), kFigureColumns.end());
  for (const ArmResult& arm : arms) {
    std::vector<StudyCell> row = {arm.name};
    for (StudyCell& cell : figure_cells(arm)) row.push_back(std::move(cell));
    table.rows.push_back(std::move(row));
  }
  return table;
}

void add_differences(StudyReport& report, const std::vector<ArmResult>& arms) {
  StudyTable table{"Paired differences",
                   {"first minus second", "image AUROC", "pixel AUROC", "AUPRO"},
                   {},
                   "Same test images on both sides; 95 % intervals (Zou and Yue's from both arms' intervals "
                   "and DeLong's covariance; "
                   "paired bootstrap)."};
  for (std::size_t i = 1; i < arms.size(); ++i) {
    const PairedDifference d = paired_difference(arms[i], arms[0]);
    table.rows.push_back({fmt::format("{} – {}", d.first, d.second), d.image_auroc, d.pixel_auroc, d.aupro});
    report.findings.push_back(difference_sentence("Image AUROC", d.first, d.second, d.image_auroc));
    if (std::isfinite(d.aupro.value))
      report.findings.push_back(difference_sentence("AUPRO", d.first, d.second, d.aupro));
  }
  report.tables.push_back(std::move(table));
}

StudyTable training_table(const std::vector<ArmResult>& arms, const std::string& what) {
  StudyTable table{"Training", {what, "runs saturated", "last loss"}, {}, ""};
  for (const ArmResult& arm : arms) {
    table.rows.push_back(
        {arm.name, fmt::format("{} of {}", saturated_runs(arm), arm.runs.size()), mean_last(arm, kLoss)});
  }
  return table;
}

std::vector<Arm> refined_only(const StudyInput& input) {
  return {input.refined()};
}

std::vector<Arm> baseline_arms(const StudyInput& input) {
  Arm baseline{"baseline", input.dataset, [configure = input.options.configure](int seed) {
                 return configure(study_methods().front(), Recipe::kBaseline, seed);
               }};
  return {baseline, input.refined()};
}

StudyReport baseline_report(const StudyInput&, const std::vector<ArmResult>& arms) {
  StudyReport report;
  report.study_says =
      "image AUROC 0.530 for the baseline and 0.800 for the refined recipe, pixel AUROC 0.910 and 0.930, "
      "AUPRO 0.740 and 0.740.";
  report.tables.push_back(figure_table(arms, "recipe"));
  add_differences(report, arms);
  report.tables.push_back(training_table(arms, "recipe"));
  return report;
}

std::vector<Arm> augmentation_arms(const StudyInput& input) {
  // Offline passes are longer by the copies, so that all arms take about the same number of steps.
  const int passes = [&] {
    const std::string method = study_methods().front();
    return input.options.configure(method, Recipe::kRefined, 0)->table().to_json()[method].value("passes", 4);
  }();
  Arm mild = input.refined();
  mild.name = "mild";
  return {
      input.refined_with("none", {"augment.regime=none"}), mild,
      input.refined_with("strong", {"augment.regime=strong"}),
      input.refined_with("offline", {"augment.regime=offline",
                                     fmt::format("passes={}", std::max(1, passes / (1 + kOfflineCopies)))})};
}

StudyReport augmentation_report(const StudyInput&, const std::vector<ArmResult>& arms) {
  StudyReport report;
  report.study_says =
      "image AUROC 0.530 without augmentation (with sigma 4 and no clipping), 0.711 mild, 0.751 strong; "
      "AUPRO 0.740, 0.747, 0.688.";
  report.tables.push_back(figure_table(arms, "augmentation"));
  add_differences(report, arms);
  report.notes.push_back(
      fmt::format("Everything else is the refined recipe. Offline: each image and {} strong draws of it, "
                  "made once; as many "
                  "training steps as the others.",
                  kOfflineCopies));
  return report;
}

std::vector<Arm> saturation_arms(const StudyInput& input) {
  std::vector<Arm> out;
  for (const bool clipped : {true, false}) {
    for (const double sigma : kNoiseSigmas) {
      out.push_back(input.refined_with(
          saturation_name(sigma, clipped),
          {fmt::format("noise_std={}", sigma), fmt::format("clip_norm={}", clipped ? 1.0 : 0.0)}));
    }
  }
  return out;
}

StudyReport saturation_report(const StudyInput&, const std::vector<ArmResult>& arms) {
  StudyReport report;
  report.study_says =
      "without clipping one of three seeds saturated, with clipping none; lowering sigma from 0.020 to 0.012 "
      "helped a little, clipping most.";
  const std::map<std::string, std::string> readings = named_readings(arms);
  StudyTable table{
      "",
      {"sigma, clipping", "image AUROC", "seeds", "runs saturated"},
      {},
      "Saturated: at the last meta-epoch almost every real and fake feature is past its margin and the "
      "loss is near 0. Readings are those of the last meta-epoch, means over the seeds."};
  for (const auto& [key, phrase] : readings) table.columns.push_back(phrase);
  std::int64_t runs[2] = {0, 0}, saturated[2] = {0, 0};
  for (std::size_t i = 0; i < arms.size(); ++i) {
    const ArmResult& arm = arms[i];
    const MeanFigure image = mean_figure(arm, ArmFigure::kImageAuroc);
    const int count = saturated_runs(arm);
    std::vector<StudyCell> row = {arm.name, image.estimate,
                                  seeds_range(image.lowest, image.highest, arm.runs.size()),
                                  fmt::format("{} of {}", count, arm.runs.size())};
    for (const auto& [key, phrase] : readings) row.emplace_back(mean_last(arm, key));
    table.rows.push_back(std::move(row));
    const std::size_t side = i < std::size(kNoiseSigmas) ? 0 : 1;
    runs[side] += std::ssize(arm.runs);
    saturated[side] += count;
  }
  report.tables.push_back(std::move(table));
  const Estimate with = wilson_rate(saturated[0], runs[0]), without = wilson_rate(saturated[1], runs[1]);
  report.findings.push_back(
      fmt::format("Saturated: {} of {} runs with clipping [{:.0f} %, {:.0f} %], {} of {} without [{:.0f} %, "
                  "{:.0f} %]: {}.",
                  saturated[0], runs[0], 100 * with.ci_low, 100 * with.ci_high, saturated[1], runs[1],
                  100 * without.ci_low, 100 * without.ci_high,
                  with.ci_high < without.ci_low   ? "clipping prevents it"
                  : without.ci_high < with.ci_low ? "clipping makes it more frequent"
                                                  : "no effect of clipping on it can be told"));
  for (std::size_t s = 0; s < std::size(kNoiseSigmas); ++s) {
    const ArmResult &clipped = arms[s], &free = arms[std::size(kNoiseSigmas) + s];
    report.findings.push_back(difference_sentence("Image AUROC", clipped.name, free.name,
                                                  paired_difference(clipped, free).image_auroc));
  }
  for (const std::size_t side : {0UL, std::size(kNoiseSigmas)}) {
    std::vector<const ArmResult*> shown;
    for (std::size_t s = 0; s < std::size(kNoiseSigmas); ++s) shown.push_back(&arms[side + s]);
    const std::string which = side == 0 ? "clipped" : "not clipped";
    for (const auto& [key, phrase] : readings)
      report.charts.push_back(
          tracker_chart(shown, key, fmt::format("Training: {}, seed 0, {}", phrase, which)));
  }
  return report;
}

std::vector<Arm> noise_clean_arms(const StudyInput& input) {
  auto cleaned = std::make_shared<Dataset>(*input.dataset);
  if (!input.options.exclude.empty()) {
    exclude_samples(*cleaned, input.options.exclude);
  } else {
    const std::vector<std::string> ids = suspicious_ids(input);
    std::erase_if(cleaned->train, [&](const Sample& sample) {
      return std::find(ids.begin(), ids.end(), sample.id) != ids.end();
    });
  }
  std::vector<Arm> out = {input.refined()};
  out[0].name = "all training images";
  if (cleaned->train.size() == input.dataset->train.size()) return out;
  if (static_cast<int>(cleaned->train.size()) < kLeastGoodImages) {
    fail(ErrorCode::kBadInput, "noise-clean: {} training images would be left, at least {} are needed",
         cleaned->train.size(), kLeastGoodImages);
  }
  Arm clean = input.refined();
  clean.name = "without the suspicious";
  clean.dataset = std::move(cleaned);
  out.push_back(std::move(clean));
  return out;
}

StudyReport noise_clean_report(const StudyInput& input, const std::vector<ArmResult>& arms) {
  StudyReport report;
  report.study_says =
      "recommendation 1: keep the normal class clean and move borderline parts to a folder of their own; no "
      "figure.";
  report.tables.push_back(figure_table(arms, "training images"));
  if (arms.size() < 2) {
    report.findings.emplace_back(
        "No training image is suspicious by the audit's rule: there is nothing to take out, and nothing to "
        "compare.");
    return report;
  }
  const std::vector<std::string> excluded = excluded_ids(arms[1], *input.dataset);
  add_differences(report, arms);
  StudyTable table{"Taken out", {"image"}, {}, ""};
  for (const std::string& id : excluded) table.rows.push_back({id});
  report.tables.push_back(std::move(table));
  report.notes.push_back(fmt::format(
      "{} of {} training images were taken out, by {}. The calibration images are drawn anew from what is "
      "left.",
      excluded.size(), input.dataset->train.size(),
      input.options.exclude.empty() ? "the audit's rule (3.5 robust deviations)" : "the list given"));
  return report;
}

std::vector<Arm> methods_arms(const StudyInput& input) {
  std::vector<Arm> out;
  for (const std::string& method : study_methods()) {
    Arm arm{method, input.dataset, [configure = input.options.configure, method](int seed) {
              return configure(method, Recipe::kRefined, seed);
            }};
    if (out.empty()) {
      arm = input.refined();
      arm.name = method;
    }
    out.push_back(std::move(arm));
  }
  return out;
}

StudyReport methods_report(const StudyInput&, const std::vector<ArmResult>& arms) {
  StudyReport report;
  report.study_says =
      "refined SimpleNet 0.800 image AUROC, 0.930 pixel AUROC, 0.740 AUPRO; INP-Former 0.760, 0.980, 0.910: "
      "the stronger localiser is the weaker judge.";
  report.tables.push_back(figure_table(arms, "method"));
  add_differences(report, arms);
  const PairedDifference d = paired_difference(arms[1], arms[0]);
  const bool localises = d.aupro.ci_low > 0, judges = d.image_auroc.ci_low > 0,
             worse = d.image_auroc.ci_high < 0;
  report.findings.push_back(
      arms[1].name + (!localises
                          ? " is not clearly the stronger localiser here, so the question does not arise."
                      : judges ? " is the stronger localiser and the better judge here."
                      : worse  ? " is the stronger localiser but the weaker judge here, as in the study."
                               : " is the stronger localiser; which is the better judge cannot be told."));
  StudyTable table{"Cost",
                   {"method", "training, s", "one image, ms", "memory while training, MiB"},
                   {},
                   "Seed 0. Memory of the whole process, with the features that it keeps for other arms."};
  for (const ArmResult& arm : arms) {
    const ArmRun& run = *arm.runs[0];
    table.rows.push_back({arm.name, fmt::format("{:.0f}", run.training_seconds),
                          fmt::format("{:.0f}", run.milliseconds_image),
                          fmt::format("{:.0f}", run.peak_mib)});
  }
  report.tables.push_back(std::move(table));
  return report;
}

}  // namespace glint
