// What a dishonest evaluation would show, and what the size of the test set decides.
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/data/split_lock.h"
#include "glint/image/codec.h"
#include "glint/metrics/ranking.h"
#include "glint/study/study_list.h"

namespace glint {
namespace {

using nlohmann::json;

constexpr int kLeaked[] = {0, 1, 2, 5, 10, 20};
constexpr int kDraws = 200;           // random draws of leaked images, a seed
constexpr int kScoredTraining = 200;  // training images that may leak, a seed
constexpr int kHalves = 200;          // random halves of the test set for the threshold
constexpr int kResamples = 1000;
constexpr const char* kTimeArm = "split by time";

struct LabelledScores {
  std::vector<double> scores;
  std::vector<int> labels;
};

LabelledScores scores_of(const ArmRun& run) {
  LabelledScores out;
  for (const ScoredImage& image : run.evaluation.images) {
    out.scores.push_back(image.score);
    out.labels.push_back(image.sample.anomalous() ? 1 : 0);
  }
  return out;
}

/// Mean and the range that holds 95 % of the values: of draws that were made, not a confidence interval.
struct DrawnRange {
  double mean = 0, low = 0, high = 0;

  bool collapsed() const { return high - low < 1e-9; }
  /// Without bounds when all draws gave the same: that is no statement about other images.
  Estimate cell() const { return collapsed() ? Estimate{mean, NAN, NAN} : Estimate{mean, low, high}; }
};

DrawnRange range_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  double sum = 0;
  for (const double v : values) sum += v;
  // Outwards to the next value, so that the range of a few values holds all of them.
  const double last = static_cast<double>(values.size() - 1);
  return {sum / static_cast<double>(values.size()),
          values[static_cast<std::size_t>(std::floor(0.025 * last))],
          values[static_cast<std::size_t>(std::ceil(0.975 * last))]};
}

/// Image scores of images that the run was trained on.
std::vector<double> trained_scores(const ArmRun& run, const Dataset& dataset, ProgressSink& progress) {
  std::set<std::string> trained;
  for (const json& image : run.model.record["dataset"]["images"]) {
    if (image.value("role", "") == "train") trained.insert(image.value("sha256", ""));
  }
  std::vector<const Sample*> samples;
  for (const int i : permutation(static_cast<int>(dataset.train.size()),
                                 Rng(static_cast<std::uint64_t>(run.seed), "study.leakage.images"))) {
    if (trained.count(dataset.train[i].sha256) > 0 && samples.size() < kScoredTraining)
      samples.push_back(&dataset.train[i]);
  }
  std::vector<double> out;
  progress.begin("scoring training images", std::ssize(samples));
  for (std::size_t first = 0; first < samples.size(); first += kScoreBatch) {
    throw_if_cancelled();
    std::vector<RgbImage> batch;
    for (std::size_t i = first; i < std::min(samples.size(), first + kScoreBatch); ++i)
      batch.push_back(read_image(samples[i]->path));
    for (const PatchScores& patches : run.inspector->patch_scores(batch))
      out.push_back(run.evaluation.decision.scorer.score(patches));
    progress.advance(std::ssize(out), "");
  }
  progress.end();
  return out;
}

/// AUROC with k training images as extra good test images, over seeds and draws.
std::vector<std::vector<double>> leaked_aurocs(const StudyInput& input, const ArmResult& arm) {
  std::vector<std::vector<double>> out(std::size(kLeaked));
  for (const auto& run : arm.runs) {
    const LabelledScores honest = scores_of(*run);
    const std::vector<double> trained = trained_scores(*run, *input.dataset, *input.progress);
    for (std::size_t k = 0; k < std::size(kLeaked); ++k) {
      for (int draw = 0; draw < (kLeaked[k] == 0 ? 1 : kDraws); ++draw) {
        LabelledScores all = honest;
        const std::vector<int> order =
            permutation(static_cast<int>(trained.size()),
                        Rng(static_cast<std::uint64_t>(run->seed), "study.leakage.draw", k, draw));
        for (int i = 0; i < std::min(kLeaked[k], static_cast<int>(trained.size())); ++i) {
          all.scores.push_back(trained[order[i]]);
          all.labels.push_back(0);
        }
        out[k].push_back(auroc(all.scores, all.labels));
      }
    }
  }
  return out;
}

void add_leaked_images(StudyReport& report, const StudyInput& input, const ArmResult& arm) {
  const auto aurocs = leaked_aurocs(input, arm);
  StudyTable table{
      "Training images put into test/good",
      {"images leaked", "image AUROC, mean and 95 % of draws", "inflation"},
      {},
      fmt::format("{} random draws a seed, over {} seeds. The range of the first row is that of the "
                  "seeds alone.",
                  kDraws, arm.runs.size())};
  const double honest = range_of(aurocs[0]).mean;
  StudyCurve curve{"image AUROC", {}};
  DrawnRange most;
  for (std::size_t k = 0; k < std::size(kLeaked); ++k) {
    // each draw against its own seed's honest figure
    std::vector<double> inflation;
    const std::size_t draws = kLeaked[k] == 0 ? 1 : kDraws;
    for (std::size_t i = 0; i < aurocs[k].size(); ++i)
      inflation.push_back(aurocs[k][i] - aurocs[0][i / draws]);
    most = range_of(inflation);
    const DrawnRange spread = range_of(aurocs[k]);
    table.rows.push_back({fmt::format("{}", kLeaked[k]), spread.cell(), most.cell()});
    curve.points.push_back({static_cast<double>(kLeaked[k]), spread.mean});
  }
  report.tables.push_back(std::move(table));
  report.charts.push_back(
      {"Image AUROC with k training images in test/good", "images leaked", "image AUROC", {curve}, false});
  report.findings.push_back(fmt::format(
      "{} leaked training images move the image AUROC from {:.3f} by {:+.3f} (95 % of draws: {:+.3f} to "
      "{:+.3f}): {}.",
      kLeaked[std::size(kLeaked) - 1], honest, most.mean, most.low, most.high,
      most.low > 0    ? "always upwards"
      : most.high < 0 ? "always downwards: this detector scores its training images no lower than new ones"
                      : "not always in one direction"));
}

void add_oracle_epoch(StudyReport& report, const StudyInput& input, const ArmResult& arm) {
  StudyTable table{"Choosing the epoch on the test set",
                   {"seed", "last epoch (honest)", "best epoch (oracle, not a result)", "inflation"},
                   {},
                   ""};
  std::vector<double> inflation;
  StudyChart chart{
      "Image AUROC of every meta-epoch on the test set (oracle)", "meta-epoch", "image AUROC", {}, false};
  for (const auto& run : arm.runs) {
    if (run->epochs.empty()) continue;
    double best = 0, last = 0;
    StudyCurve curve{fmt::format("seed {}", run->seed), {}};
    for (const OracleEpoch& epoch :
         oracle_epochs(run->model, run->epochs, *input.dataset, run->model.scoring, *input.progress)) {
      best = std::max(best, epoch.image_auroc);
      last = epoch.image_auroc;
      curve.points.push_back({static_cast<double>(epoch.meta_epoch), epoch.image_auroc});
    }
    chart.curves.push_back(std::move(curve));
    inflation.push_back(best - last);
    table.rows.push_back({fmt::format("{}", run->seed), last, best, best - last});
  }
  if (inflation.empty()) return;
  double mean = 0;
  for (const double v : inflation) mean += v / static_cast<double>(inflation.size());
  report.tables.push_back(std::move(table));
  report.charts.push_back(std::move(chart));
  report.findings.push_back(
      fmt::format("Taking each seed's best epoch by the test set would add {:.3f} to the image AUROC on "
                  "average (at most {:.3f}); "
                  "it can only add.",
                  mean, *std::max_element(inflation.begin(), inflation.end())));
}

/// Mean of detection rate and of accepted good parts when scores above `threshold` are rejected.
double balanced_accuracy(const LabelledScores& data, const std::vector<int>& which, double threshold) {
  double count[2] = {0, 0}, right[2] = {0, 0};
  for (const int i : which) {
    const int label = data.labels[i];
    count[label] += 1;
    right[label] += (data.scores[i] > threshold) == (label == 1) ? 1 : 0;
  }
  return count[0] > 0 && count[1] > 0 ? (right[0] / count[0] + right[1] / count[1]) / 2 : NAN;
}

double best_threshold(const LabelledScores& data, const std::vector<int>& which) {
  double best = -1, threshold = 0;
  for (const int i : which) {
    const double accuracy = balanced_accuracy(data, which, data.scores[i]);
    if (accuracy > best) {
      best = accuracy;
      threshold = data.scores[i];
    }
  }
  return threshold;
}

void add_threshold(StudyReport& report, const ArmResult& arm) {
  StudyTable table{
      "Choosing the threshold on the test set: balanced accuracy",
      {"seed", "calibrated on good parts", "chosen on the test set (oracle)",
       "chosen on one half, measured on the other", "inflation of the oracle"},
      {},
      fmt::format("The halves are {} random ones, stratified; range of 95 % of them. Oracle minus "
                  "other half is the inflation.",
                  kHalves)};
  double mean = 0;
  for (const auto& run : arm.runs) {
    const LabelledScores data = scores_of(*run);
    std::vector<int> all(data.scores.size()), members[2];
    for (int i = 0; i < std::ssize(all); ++i) {
      all[i] = i;
      members[data.labels[i]].push_back(i);
    }
    const double oracle = balanced_accuracy(data, all, best_threshold(data, all));
    std::vector<double> other;
    for (int h = 0; h < kHalves; ++h) {
      Rng rng(static_cast<std::uint64_t>(run->seed), "study.leakage.halves", h);
      std::vector<int> first, second;
      for (std::vector<int>& group : members) {
        rng.shuffle(group);
        for (std::size_t i = 0; i < group.size(); ++i)
          (i < group.size() / 2 ? first : second).push_back(group[i]);
      }
      const double v = balanced_accuracy(data, second, best_threshold(data, first));
      if (std::isfinite(v)) other.push_back(v);
    }
    if (other.empty()) continue;
    const DrawnRange honest = range_of(other);
    mean += (oracle - honest.mean) / static_cast<double>(arm.runs.size());
    table.rows.push_back({fmt::format("{}", run->seed),
                          balanced_accuracy(data, all, run->evaluation.decision.conformal.threshold), oracle,
                          honest.cell(), oracle - honest.mean});
  }
  report.tables.push_back(std::move(table));
  report.findings.push_back(
      fmt::format("A threshold chosen on the test set looks better by {:.3f} of balanced accuracy than the "
                  "same choice measured on "
                  "images that it has not seen.",
                  mean));
}

/// The dataset with its latest good images testing; nullopt when file names hold no times.
std::optional<Dataset> by_time(const Dataset& dataset) {
  const std::vector<Sample> good = good_images(dataset);
  for (const Sample& sample : good) {
    if (!capture_time(sample.path.filename().string())) return std::nullopt;
  }
  const double share = 1 - static_cast<double>(dataset.train.size()) / static_cast<double>(good.size());
  if (share <= 0) return std::nullopt;
  const Resplit split = split_by_time(good, share, 0);
  Dataset out = dataset;
  out.train.clear();
  std::erase_if(out.test, [](const Sample& sample) { return !sample.anomalous(); });
  auto put = [&](const std::vector<int>& which, Role role, std::vector<Sample>& part) {
    for (const int i : which) {
      Sample sample = good[i];
      sample.role = role;
      part.push_back(std::move(sample));
    }
  };
  put(split.train, Role::kTrain, out.train);
  put(split.test, Role::kTest, out.test);
  return out;
}

void add_time_split(StudyReport& report, const ArmResult& random, const ArmResult& timed) {
  StudyTable table{
      "Worth of a random split of a time series",
      {"split", "image AUROC", "seeds", "good test images rejected"},
      {},
      "The good test images differ, so the difference is not paired: the interval of the difference "
      "adds both variances on the AUROC scale."};
  Estimate mean[2];
  std::int64_t rejected[2] = {0, 0}, good[2] = {0, 0};
  const ArmResult* arms[2] = {&random, &timed};
  for (int side = 0; side < 2; ++side) {
    const MeanFigure image = mean_figure(*arms[side], ArmFigure::kImageAuroc);
    mean[side] = image.estimate;
    for (const ScoredImage& scored : arms[side]->runs[0]->evaluation.images) {
      if (scored.sample.anomalous()) continue;
      ++good[side];
      rejected[side] += scored.rejected ? 1 : 0;
    }
    table.rows.push_back({side == 0 ? "as given" : kTimeArm, image.estimate,
                          seeds_range(image.lowest, image.highest, arms[side]->runs.size()),
                          wilson_rate(rejected[side], good[side])});
  }
  const double value = mean[0].value - mean[1].value;
  const double below = std::hypot(mean[0].value - mean[0].ci_low, mean[1].ci_high - mean[1].value);
  const double above = std::hypot(mean[0].ci_high - mean[0].value, mean[1].value - mean[1].ci_low);
  const Estimate difference{value, value - below, value + above};
  table.rows.push_back({"difference", difference, "", ""});
  report.tables.push_back(std::move(table));
  report.findings.push_back(
      difference_sentence("Image AUROC", "the split as given", "a split by capture time", difference));
  const Estimate given = wilson_rate(rejected[0], good[0]), later = wilson_rate(rejected[1], good[1]);
  report.findings.push_back(
      fmt::format("Good test images rejected (seed 0): {} of {} as given, {} of {} in the split by time{}.",
                  rejected[0], good[0], rejected[1], good[1],
                  given.ci_high < later.ci_low   ? ": the promised rate does not carry over to later images"
                  : later.ci_high < given.ci_low ? ": fewer in the split by time"
                                                 : ": no difference can be told"));
}

}  // namespace

std::vector<Arm> leakage_arms(const StudyInput& input) {
  std::vector<Arm> out = {input.refined()};
  if (auto timed = by_time(*input.dataset)) {
    Arm arm = input.refined_with(kTimeArm, {});
    arm.dataset = std::make_shared<const Dataset>(std::move(*timed));
    out.push_back(std::move(arm));
  }
  return out;
}

StudyReport leakage_report(const StudyInput& input, const std::vector<ArmResult>& arms) {
  StudyReport report;
  report.study_says =
      "with training images in test/good the image AUROC rises by tens of points; choosing "
      "hyper-parameters, epochs or thresholds on the test set is the subtler leak.";
  add_leaked_images(report, input, arms[0]);
  add_oracle_epoch(report, input, arms[0]);
  add_threshold(report, arms[0]);
  if (arms.size() > 1) {
    add_time_split(report, arms[0], arms[1]);
  } else {
    report.notes.emplace_back(
        "The file names hold no capture times, so what a split by time is worth was not measured.");
  }
  return report;
}

StudyReport test_size_report(const StudyInput&, const std::vector<ArmResult>& arms) {
  StudyReport report;
  report.study_says = "at least 30 good and 60 anomalous test images; the study itself had 10 good ones.";
  const ArmResult& arm = arms[0];
  std::vector<LabelledScores> runs;
  std::vector<int> good, anomalous;
  for (const auto& run : arm.runs) runs.push_back(scores_of(*run));
  for (int i = 0; i < std::ssize(runs[0].labels); ++i)
    (runs[0].labels[i] == 1 ? anomalous : good).push_back(i);
  const double mean = mean_figure(arm, ArmFigure::kImageAuroc).mean;
  StudyTable table{
      "",
      {"good test images", "image AUROC, mean and 95 % of resamples", "width", "width that theory expects"},
      {},
      fmt::format("{} resamples with replacement of both kinds, {} anomalous images each, mean of the seeds "
                  "on the same resample; where all resamples give the same, Newcombe's interval instead. "
                  "Theory: Hanley and McNeil at the measured AUROC. Rows beyond the {} good images at hand "
                  "extrapolate from them.",
                  kResamples, anomalous.size(), good.size())};
  StudyCurve measured{"resampled", {}}, theory{"theory", {}};
  std::map<int, double> width;
  for (const int n : {5, 10, 20, 30, 50, 100, 200}) {
    std::vector<double> values;
    for (int r = 0; r < kResamples; ++r) {
      Rng rng(0, "study.test_size", n, r);
      std::vector<int> which, labels;
      for (int i = 0; i < n; ++i) which.push_back(good[rng.below(good.size())]);
      for (std::size_t i = 0; i < anomalous.size(); ++i)
        which.push_back(anomalous[rng.below(anomalous.size())]);
      double sum = 0;
      for (const LabelledScores& run : runs) {
        std::vector<double> scores;
        labels.clear();
        for (const int i : which) {
          scores.push_back(run.scores[i]);
          labels.push_back(run.labels[i]);
        }
        sum += auroc(scores, labels) / static_cast<double>(runs.size());
      }
      values.push_back(sum);
    }
    const DrawnRange range = range_of(values);
    // A perfect (or constant) detector stays so in every resample, which says nothing of other images.
    const Estimate spread = range.collapsed()
                                ? newcombe_auroc(mean, n, static_cast<std::int64_t>(anomalous.size()))
                                : range.cell();
    const Estimate expected = expected_auroc_interval(std::clamp(mean, 0.51, 0.995), n,
                                                      static_cast<std::int64_t>(anomalous.size()));
    width[n] = spread.ci_high - spread.ci_low;
    table.rows.push_back({fmt::format("{}{}", n, n > std::ssize(good) ? " (extrapolated)" : ""), spread,
                          width[n], expected.ci_high - expected.ci_low});
    measured.points.push_back({static_cast<double>(n), width[n]});
    theory.points.push_back({static_cast<double>(n), expected.ci_high - expected.ci_low});
  }
  report.tables.push_back(std::move(table));
  report.charts.push_back(
      {"Width of the 95 % range of the image AUROC", "good test images", "width", {measured, theory}, false});
  report.findings.push_back(
      fmt::format("With 10 good test images the image AUROC of this detector varies over {:.3f} (95 % of "
                  "resamples), with 30 over "
                  "{:.3f}, with 100 over {:.3f}.",
                  width[10], width[30], width[100]));
  return report;
}

}  // namespace glint
