#include "glint/study/compare.h"

#include <cmath>

#include <fmt/format.h>

#include "glint/metrics/estimate_json.h"

namespace glint {
namespace {

using nlohmann::json;

struct NamedFigure {
  const char* key;
  ArmFigure figure;
};
constexpr NamedFigure kFigures[] = {{"image_auroc", ArmFigure::kImageAuroc},
                                    {"pixel_auroc", ArmFigure::kPixelAuroc},
                                    {"pixel_ap", ArmFigure::kPixelAp},
                                    {"aupro", ArmFigure::kAupro}};

}  // namespace

Comparison compare_methods(const Dataset& dataset, const CompareOptions& options, ProgressSink& progress) {
  const auto shared = std::make_shared<const Dataset>(dataset);
  std::vector<Arm> arms;
  for (const std::string& name : options.methods)
    arms.push_back({name, shared, [&options, name](int seed) { return options.configure(name, seed); }});
  ArmRunner runner(options.models, progress);
  Comparison out;
  out.methods = runner.run(arms, options.seeds);
  for (std::size_t i = 0; i < out.methods.size(); ++i) {
    for (std::size_t j = i + 1; j < out.methods.size(); ++j)
      out.differences.push_back(paired_difference(out.methods[i], out.methods[j]));
  }
  return out;
}

json comparison_json(const Comparison& comparison, const Dataset& dataset) {
  json methods = json::array();
  for (const ArmResult& method : comparison.methods) {
    json runs = json::array();
    for (const auto& run : method.runs) {
      runs.push_back({{"seed", run->seed},
                      {"results", results_json(run->evaluation, run->model, dataset)},
                      {"training_seconds", run->training_seconds},
                      {"milliseconds_per_image", run->milliseconds_image},
                      {"peak_mib", run->peak_mib},
                      {"model_mib", run->model_mib}});
    }
    json entry = {{"method", method.name}, {"runs", runs}};
    for (const NamedFigure& f : kFigures) {
      const MeanFigure m = mean_figure(method, f.figure);
      entry[f.key] = estimate_json(m.estimate);
      entry[f.key]["lowest_seed"] = number_json(m.lowest);
      entry[f.key]["highest_seed"] = number_json(m.highest);
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
  for (const ArmResult& method : comparison.methods) {
    for (const NamedFigure& f : kFigures) {
      const MeanFigure m = mean_figure(method, f.figure);
      if (!std::isfinite(m.mean)) continue;
      out += fmt::format("{:<12} {:<12} {:.3f}  [{:.3f}, {:.3f}]  seeds: {}\n", method.name, f.key, m.mean,
                         m.estimate.ci_low, m.estimate.ci_high,
                         seeds_range(m.lowest, m.highest, method.runs.size()));
    }
    const ArmRun& run = *method.runs[0];
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
