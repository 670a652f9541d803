#include "glint/eval/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "glint/base/error.h"
#include "glint/base/memory.h"
#include "glint/eval/fit.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<int> labels_of(const Evaluation& e) {
  std::vector<int> out;
  for (const ScoredImage& image : e.images) out.push_back(image.sample.anomalous() ? 1 : 0);
  return out;
}

RepeatedScores scores_of(const ComparedMethod& method) {
  RepeatedScores out;
  for (const ComparedRun& run : method.runs) {
    out.emplace_back();
    for (const ScoredImage& image : run.evaluation.images) out.back().push_back(image.score);
  }
  return out;
}

const Estimate& figure_of(const Evaluation& e, ComparedFigure figure) {
  switch (figure) {
    case ComparedFigure::kImageAuroc:
      return e.image_auroc;
    case ComparedFigure::kPixelAuroc:
      return e.pixel.auroc;
    case ComparedFigure::kPixelAp:
      return e.pixel.average_precision;
    case ComparedFigure::kAupro:
      return e.pixel.aupro;
  }
  GLINT_CHECK(false);
  return e.image_auroc;
}

/// Where a pixel figure's replicates are in PixelMetrics::replicates.
std::size_t replicate_index(ComparedFigure figure) {
  GLINT_CHECK(figure != ComparedFigure::kImageAuroc);
  return figure == ComparedFigure::kPixelAuroc ? 0 : figure == ComparedFigure::kPixelAp ? 1 : 3;
}

std::vector<double> mean_replicates_of(const ComparedMethod& method, ComparedFigure figure) {
  std::vector<std::vector<double>> all;
  for (const ComparedRun& run : method.runs)
    all.push_back(run.evaluation.pixel.replicates[replicate_index(figure)]);
  return mean_replicates(all);
}

Estimate pixel_difference(const ComparedMethod& a, const ComparedMethod& b, ComparedFigure figure) {
  const std::vector<double> ra = mean_replicates_of(a, figure), rb = mean_replicates_of(b, figure);
  const double value = mean_figure(a, figure).mean - mean_figure(b, figure).mean;
  if (ra.empty() || ra.size() != rb.size()) return {value, kNaN, kNaN};
  std::vector<double> differences;
  for (std::size_t i = 0; i < ra.size(); ++i) differences.push_back(ra[i] - rb[i]);
  return percentile_interval(value, std::move(differences));
}

/// The trained model of a method and seed: from `path` when it was made with the same settings, else trained.
Model train_or_load(TrainConfig& config, const Dataset& dataset, const fs::path& path,
                    ProgressSink& progress) {
  if (fs::exists(path)) {
    Model model = load_model(path);
    if (model.record.value("run_identity", "") == run_identity(config, dataset)) return model;
    progress.message(fmt::format("{} belongs to other settings: training again", path.string()));
  }
  FitOptions fit;
  fit.state = path.string() + ".resume";
  fit.resume = fs::exists(fit.state);
  reset_peak_memory();
  Model model = [&] {
    try {
      return fit_model(config, dataset, fit, progress);
    } catch (const Error& e) {
      if (!fit.resume || e.code() != ErrorCode::kBadInput) throw;
      fit.resume = false;  // the state of other settings
      return fit_model(config, dataset, fit, progress);
    }
  }();
  model.record["training"]["peak_mib"] = peak_memory_mib();
  save_model(model, path);
  return model;
}

ComparedRun run_one(const Dataset& dataset, const CompareOptions& options, const std::string& method,
                    int seed, ProgressSink& progress) {
  const std::unique_ptr<TrainConfig> config = options.configure(method, seed);
  const fs::path path = options.models / fmt::format("{}_seed{}.glint", method, seed);
  progress.message(fmt::format("{}, seed {}", method, seed));
  Model model = train_or_load(*config, dataset, path, progress);
  auto inspector =
      std::make_unique<Inspector>(model, resolve_device(config->device), config->precision, path.string());
  EvaluateOptions evaluate;
  evaluate.scoring = model.scoring;
  evaluate.false_reject = config->false_reject;
  Evaluation evaluation = evaluate_model(model, *inspector, dataset, evaluate, false, progress);
  const json& training = model.record["training"];
  const double training_seconds =
      training.value("feature_seconds", 0.0) + training.value("training_seconds", 0.0);
  const double peak_mib = training.value("peak_mib", 0.0);
  const double model_mib = static_cast<double>(fs::file_size(path)) / (1 << 20);
  const double milliseconds = 1000 * evaluation.seconds_per_image;
  return {
      seed,     std::move(model), std::move(inspector), std::move(evaluation), training_seconds, milliseconds,
      peak_mib, model_mib};
}

json estimate_json(const Estimate& e) {
  auto number = [](double v) { return std::isfinite(v) ? json(v) : json(nullptr); };
  return {{"value", number(e.value)}, {"ci_low", number(e.ci_low)}, {"ci_high", number(e.ci_high)}};
}

struct NamedFigure {
  const char* key;
  ComparedFigure figure;
};
constexpr NamedFigure kFigures[] = {{"image_auroc", ComparedFigure::kImageAuroc},
                                    {"pixel_auroc", ComparedFigure::kPixelAuroc},
                                    {"pixel_ap", ComparedFigure::kPixelAp},
                                    {"aupro", ComparedFigure::kAupro}};

}  // namespace

MeanFigure mean_figure(const ComparedMethod& method, ComparedFigure figure) {
  GLINT_CHECK(!method.runs.empty());
  MeanFigure out{0, 1e300, -1e300, {}};
  for (const ComparedRun& run : method.runs) {
    const double v = figure_of(run.evaluation, figure).value;
    out.mean += v / static_cast<double>(method.runs.size());
    out.lowest = std::min(out.lowest, v);
    out.highest = std::max(out.highest, v);
  }
  if (figure == ComparedFigure::kImageAuroc) {
    // against a constant score, whose AUROC is 1/2 without variance
    const std::vector<int> labels = labels_of(method.runs[0].evaluation);
    const Estimate d =
        delong_mean_difference(scores_of(method), {std::vector<double>(labels.size(), 0.0)}, labels);
    out.estimate = {out.mean, std::max(0.0, d.ci_low + 0.5), std::min(1.0, d.ci_high + 0.5)};
  } else {
    out.estimate = percentile_interval(out.mean, mean_replicates_of(method, figure));
  }
  return out;
}

Comparison compare_methods(const Dataset& dataset, const CompareOptions& options, ProgressSink& progress) {
  Comparison out;
  for (const std::string& name : options.methods) {
    ComparedMethod method{name, {}};
    for (int seed = 0; seed < options.seeds; ++seed)
      method.runs.push_back(run_one(dataset, options, name, seed, progress));
    out.methods.push_back(std::move(method));
  }
  for (std::size_t i = 0; i < out.methods.size(); ++i) {
    for (std::size_t j = i + 1; j < out.methods.size(); ++j) {
      const ComparedMethod &a = out.methods[i], &b = out.methods[j];
      PairedDifference d{a.name, b.name, {}, {}, {}, {}};
      d.image_auroc = delong_mean_difference(scores_of(a), scores_of(b), labels_of(a.runs[0].evaluation));
      d.pixel_auroc = pixel_difference(a, b, ComparedFigure::kPixelAuroc);
      d.pixel_ap = pixel_difference(a, b, ComparedFigure::kPixelAp);
      d.aupro = pixel_difference(a, b, ComparedFigure::kAupro);
      out.differences.push_back(d);
    }
  }
  return out;
}

json comparison_json(const Comparison& comparison, const Dataset& dataset) {
  json methods = json::array();
  for (const ComparedMethod& method : comparison.methods) {
    json runs = json::array();
    for (const ComparedRun& run : method.runs) {
      runs.push_back({{"seed", run.seed},
                      {"results", results_json(run.evaluation, run.model, dataset)},
                      {"training_seconds", run.training_seconds},
                      {"milliseconds_per_image", run.milliseconds_image},
                      {"peak_mib", run.peak_mib},
                      {"model_mib", run.model_mib}});
    }
    json entry = {{"method", method.name}, {"runs", runs}};
    for (const NamedFigure& f : kFigures) {
      const MeanFigure m = mean_figure(method, f.figure);
      entry[f.key] = estimate_json(m.estimate);
      entry[f.key]["lowest_seed"] = std::isfinite(m.lowest) ? json(m.lowest) : json(nullptr);
      entry[f.key]["highest_seed"] = std::isfinite(m.highest) ? json(m.highest) : json(nullptr);
    }
    methods.push_back(std::move(entry));
  }
  json differences = json::array();
  for (const PairedDifference& d : comparison.differences) {
    differences.push_back({{"first", d.first},
                           {"second", d.second},
                           {"image_auroc", estimate_json(d.image_auroc)},
                           {"pixel_auroc", estimate_json(d.pixel_auroc)},
                           {"pixel_ap", estimate_json(d.pixel_ap)},
                           {"aupro", estimate_json(d.aupro)}});
  }
  return {{"schema_version", 1},
          {"dataset", {{"name", dataset.name()}, {"fingerprint", dataset.fingerprint()}}},
          {"methods", methods},
          {"differences", differences}};
}

std::string comparison_text(const Comparison& comparison) {
  auto cell = [](const Estimate& e) {
    return std::isfinite(e.value) ? fmt::format("{:+.3f} [{:+.3f}, {:+.3f}]", e.value, e.ci_low, e.ci_high)
                                  : std::string("-");
  };
  std::string out;
  for (const ComparedMethod& method : comparison.methods) {
    for (const NamedFigure& f : kFigures) {
      const MeanFigure m = mean_figure(method, f.figure);
      if (!std::isfinite(m.mean)) continue;
      out += fmt::format("{:<12} {:<12} {:.3f}  [{:.3f}, {:.3f}]  seeds {:.3f} to {:.3f}\n", method.name,
                         f.key, m.mean, m.estimate.ci_low, m.estimate.ci_high, m.lowest, m.highest);
    }
    const ComparedRun& run = method.runs[0];
    out +=
        fmt::format("{:<12} training {:.0f} s, {:.1f} ms an image, peak {:.0f} MiB, model {:.1f} MiB\n",
                    method.name, run.training_seconds, run.milliseconds_image, run.peak_mib, run.model_mib);
  }
  for (const PairedDifference& d : comparison.differences) {
    out += fmt::format("{} - {}: image AUROC {}  pixel AUROC {}  AUPRO {}\n", d.first, d.second,
                       cell(d.image_auroc), cell(d.pixel_auroc), cell(d.aupro));
  }
  return out;
}

}  // namespace glint
