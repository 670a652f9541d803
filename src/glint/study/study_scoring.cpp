// Studies that score one trained detector in different ways.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/image/codec.h"
#include "glint/image/measure.h"
#include "glint/metrics/logistic.h"
#include "glint/metrics/ranking.h"
#include "glint/study/study_list.h"
#include "glint/synth/synthetic_defect.h"

namespace glint {
namespace {

using nlohmann::json;

constexpr double kSmoothingSigmas[] = {0, 1, 2, 3, 4};
constexpr int kSmoothingReplicates = 200;

/// The arm's runs under other scoring options.
ArmResult rescored(const ArmResult& arm, const std::string& name, const ScoringOptions& scoring,
                   ProgressSink& progress) {
  ArmResult out{name, {}};
  for (const auto& run : arm.runs) {
    EvaluateOptions options;
    options.scoring = scoring;
    options.false_reject = run->evaluation.decision.conformal.wished_rate;
    options.pixel.bootstrap_replicates = kSmoothingReplicates;
    out.runs.push_back(std::make_shared<const ArmRun>(ArmRun{
        run->seed, {}, nullptr, rescore(run->evaluation, run->model, *run->inspector, options, progress)}));
  }
  return out;
}

/// Mean over the seeds of a class's image AUROC.
double class_auroc(const ArmResult& arm, const std::string& label) {
  double sum = 0;
  for (const auto& run : arm.runs) {
    for (const ClassResult& c : run->evaluation.classes) {
      if (c.label == label) sum += c.image_auroc.value;
    }
  }
  return sum / static_cast<double>(arm.runs.size());
}

/// One way from patch scores to an image score: scores of every run's test images.
struct Aggregation {
  std::string name;
  RepeatedScores scores;
};

Aggregation aggregate(const ArmResult& arm, const std::string& name,
                      const std::function<void(ScoringOptions&)>& change) {
  Aggregation out{name, {}};
  for (const auto& run : arm.runs) {
    ScoringOptions options = run->model.scoring;
    change(options);
    const Scorer scorer(options, run->model.input.canvas(), calibration_scores(run->model));
    out.scores.emplace_back();
    for (const ScoredImage& image : run->evaluation.images)
      out.scores.back().push_back(scorer.score(image.patches));
  }
  return out;
}

/// What the learned head sees of an image: statistics of its raw patch scores and of its map.
std::vector<double> statistics_of(const PatchScores& patches, const Scorer& scorer) {
  std::vector<float> raw = patches.map.values;
  ScoreMap map = scorer.map(patches);
  std::sort(raw.begin(), raw.end(), std::greater<>());
  std::sort(map.values.begin(), map.values.end(), std::greater<>());
  auto top_mean = [](const std::vector<float>& v, double share) {
    const auto n = std::max<std::size_t>(1, static_cast<std::size_t>(share * static_cast<double>(v.size())));
    return std::accumulate(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(n), 0.0) /
           static_cast<double>(n);
  };
  const double mean = top_mean(raw, 1);
  double square = 0;
  for (const float v : raw) square += (v - mean) * (v - mean);
  return {raw[0],
          map.values[0],
          top_mean(map.values, 0.001),
          top_mean(map.values, 0.01),
          top_mean(map.values, 0.1),
          mean,
          std::sqrt(square / static_cast<double>(raw.size()))};
}

/// Logistic regression on map statistics: good images that the detector did not train on, against the same
/// with synthetic defects. It never sees a test image.
LogisticModel train_head(const ArmRun& run, const Dataset& dataset, ProgressSink& progress) {
  constexpr int kDefectsPerImage = 4;
  std::set<std::string> calibrating;
  for (const json& image : run.model.record["dataset"]["images"]) {
    if (image.value("role", "") == "calibration") calibrating.insert(image.value("sha256", ""));
  }
  std::vector<const Sample*> samples;
  for (const auto* part : {&dataset.train, &dataset.calibration}) {
    for (const Sample& sample : *part) {
      if (calibrating.count(sample.sha256) > 0) samples.push_back(&sample);
    }
  }
  // crossfit keeps no image out of the final detector: its training images must do
  if (samples.empty()) {
    for (const Sample& sample : dataset.train) samples.push_back(&sample);
  }
  std::vector<std::vector<double>> rows;
  std::vector<int> labels;
  progress.begin("learned head", std::ssize(samples));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    throw_if_cancelled();
    const RgbImage image = read_image(samples[i]->path);
    const Mask part = part_mask(image);
    std::vector<RgbImage> batch = {image};
    Rng rng(static_cast<std::uint64_t>(run.seed), "study.aggregation", i);
    for (int d = 0; d < kDefectsPerImage; ++d) {
      const double size =
          std::max(image.width, image.height) * std::exp(rng.uniform(std::log(0.01), std::log(0.1)));
      batch.push_back(add_synthetic_defect(image, part, static_cast<SyntheticDefect>(d % 4), size,
                                           rng.uniform(0.05, 0.4), rng.bits())
                          .image);
    }
    for (const PatchScores& patches : run.inspector->patch_scores(batch)) {
      labels.push_back(rows.size() % batch.size() == 0 ? 0 : 1);
      rows.push_back(statistics_of(patches, run.evaluation.decision.scorer));
    }
    progress.advance(static_cast<std::int64_t>(i) + 1, "");
  }
  progress.end();
  return fit_logistic(rows, labels);
}

}  // namespace

StudyReport smoothing_report(const StudyInput& input, const std::vector<ArmResult>& arms) {
  StudyReport report;
  report.study_says =
      "sigma 2 in the refined recipe instead of 4 in the baseline; no figure for smoothing alone.";
  std::vector<ArmResult> results;
  StudyTable table{"", {"sigma"}, {}, kFigureNote};
  table.columns.insert(table.columns.end(), kFigureColumns.begin(), kFigureColumns.end());
  StudyTable classes{"Image AUROC per class, mean over the seeds", {"class"}, {}, ""};
  std::size_t reference = 0;
  for (const double sigma : kSmoothingSigmas) {
    ScoringOptions scoring = arms[0].runs[0]->model.scoring;
    scoring.smoothing_sigma = sigma;
    if (sigma == 2) reference = results.size();
    results.push_back(rescored(arms[0], fmt::format("sigma {:g}", sigma), scoring, *input.progress));
    std::vector<StudyCell> row = {fmt::format("{:g}", sigma)};
    for (StudyCell& cell : figure_cells(results.back())) row.push_back(std::move(cell));
    table.rows.push_back(std::move(row));
    classes.columns.push_back(fmt::format("{:g}", sigma));
  }
  for (const ClassResult& c : results[0].runs[0]->evaluation.classes) {
    if (c.label == kGoodClass) continue;
    std::vector<StudyCell> row = {c.label};
    for (const ArmResult& result : results) row.emplace_back(class_auroc(result, c.label));
    classes.rows.push_back(std::move(row));
  }
  report.tables = {std::move(table), std::move(classes)};
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (i == reference) continue;
    const PairedDifference d = paired_difference(results[i], results[reference]);
    report.findings.push_back(difference_sentence("Image AUROC", d.first, d.second, d.image_auroc));
    report.findings.push_back(difference_sentence("Pixel AUROC", d.first, d.second, d.pixel_auroc));
  }
  report.notes.emplace_back(
      "Sigma in pixels of the map at the detector's input size. Nothing was trained again; comparing many "
      "sigmas on one test set and taking the best would itself be a leak.");
  return report;
}

StudyReport aggregation_report(const StudyInput& input, const std::vector<ArmResult>& arms) {
  StudyReport report;
  report.study_says =
      "the maximum was used; mean of the top k, attention and a learned head are named, without figures.";
  const ArmResult& arm = arms[0];
  std::vector<Aggregation> ways;
  ways.push_back(
      aggregate(arm, "maximum of the map", [](ScoringOptions& o) { o.image_score = ImageScore::kMapMax; }));
  ways.push_back(aggregate(arm, "maximum of the patches",
                           [](ScoringOptions& o) { o.image_score = ImageScore::kPatchMax; }));
  for (const double share : {0.001, 0.01, 0.05}) {
    ways.push_back(
        aggregate(arm, fmt::format("mean of the top {:g} %", 100 * share), [share](ScoringOptions& o) {
          o.image_score = ImageScore::kTopMean;
          o.top_share = share;
        }));
  }
  for (const double temperature : {0.05, 0.2}) {
    ways.push_back(aggregate(arm, fmt::format("attention, temperature {:g}", temperature),
                             [temperature](ScoringOptions& o) {
                               o.image_score = ImageScore::kAttention;
                               o.attention_temperature = temperature;
                             }));
  }
  Aggregation learned{"learned head", {}};
  for (const auto& run : arm.runs) {
    const LogisticModel head = train_head(*run, *input.dataset, *input.progress);
    learned.scores.emplace_back();
    for (const ScoredImage& image : run->evaluation.images)
      learned.scores.back().push_back(
          head.logit(statistics_of(image.patches, run->evaluation.decision.scorer)));
  }
  ways.push_back(std::move(learned));

  const std::vector<int> labels = image_labels(arm.runs[0]->evaluation);
  StudyTable table{
      "",
      {"image score", "image AUROC", "seeds", "minus maximum of the map"},
      {},
      "Means over the seeds; 95 % intervals over the test images (DeLong's or Newcombe's, the wider; "
      "paired for the difference)."};
  for (const Aggregation& way : ways) {
    double lowest = 1, highest = 0;
    for (const auto& scores : way.scores) {
      lowest = std::min(lowest, auroc(scores, labels));
      highest = std::max(highest, auroc(scores, labels));
    }
    const Estimate figure = mean_auroc_interval(way.scores, labels);
    std::vector<StudyCell> row = {way.name, figure, seeds_range(lowest, highest, way.scores.size())};
    if (&way == ways.data()) {
      row.emplace_back("");
    } else {
      const Estimate d = mean_auroc_difference(way.scores, ways[0].scores, labels);
      row.emplace_back(d);
      report.findings.push_back(difference_sentence("Image AUROC", way.name, ways[0].name, d));
    }
    table.rows.push_back(std::move(row));
  }
  report.tables.push_back(std::move(table));
  report.notes.emplace_back(
      "The learned head is a logistic regression on seven statistics of the map, trained on the held-out "
      "good images against the same images with synthetic scratches, blobs, stains and CutPaste; it sees "
      "no test image and no real defect. Only its ranking is compared: its threshold would need good "
      "images of its own.");
  return report;
}

}  // namespace glint
