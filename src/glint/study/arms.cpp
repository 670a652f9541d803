#include "glint/study/arms.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "glint/base/error.h"
#include "glint/detect/feature_library.h"
#include "glint/fit/kept_models.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

const Estimate& figure_of(const Evaluation& e, ArmFigure figure) {
  switch (figure) {
    case ArmFigure::kImageAuroc:
      return e.image_auroc;
    case ArmFigure::kPixelAuroc:
      return e.pixel.auroc;
    case ArmFigure::kPixelAp:
      return e.pixel.average_precision;
    case ArmFigure::kAupro:
      return e.pixel.aupro;
  }
  GLINT_CHECK(false);
  return e.image_auroc;
}

/// Where a pixel figure's replicates are in PixelMetrics::replicates.
std::size_t replicate_index(ArmFigure figure) {
  GLINT_CHECK(figure != ArmFigure::kImageAuroc);
  return figure == ArmFigure::kPixelAuroc ? 0 : figure == ArmFigure::kPixelAp ? 1 : 3;
}

std::vector<double> mean_replicates_of(const ArmResult& arm, ArmFigure figure) {
  std::vector<std::vector<double>> all;
  for (const auto& run : arm.runs) all.push_back(run->evaluation.pixel.replicates[replicate_index(figure)]);
  return mean_replicates(all);
}

/// Independent images behind a pixel figure: the smaller class's.
std::int64_t pixel_units(const ArmResult& arm) {
  return arm.runs[0]->evaluation.pixel.units;
}

Estimate pixel_difference(const ArmResult& a, const ArmResult& b, ArmFigure figure) {
  return bootstrap_difference(mean_figure(a, figure).estimate, mean_figure(b, figure).estimate,
                              mean_replicates_of(a, figure), mean_replicates_of(b, figure),
                              std::min(pixel_units(a), pixel_units(b)));
}

/// Configuration of a run and the files it has.
struct Place {
  std::unique_ptr<TrainConfig> config;
  KeptTraining kept;
};

Place place_of(const Arm& arm, int seed, const fs::path& models) {
  Place place{arm.configure(seed), {}};
  place.kept = kept_training(models, *place.config, *arm.dataset);
  if (arm.keep_epochs) place.kept.epochs = models / (place.kept.name + ".epochs");
  return place;
}

Model trained(const Arm& arm, const Place& place, int seed, FeatureLibrary& library, ProgressSink& progress) {
  if (!fs::exists(place.kept.model)) progress.message(fmt::format("training: {}, seed {}", arm.name, seed));
  return train_or_load(place.kept, *place.config, *arm.dataset, library, progress);
}

std::shared_ptr<ArmRun> evaluated(const Arm& arm, const Place& place, Model model, int seed,
                                  ProgressSink& progress) {
  const TrainConfig& config = *place.config;
  auto inspector =
      std::make_unique<Inspector>(model, config.device, config.precision, place.kept.model.string());
  EvaluateOptions evaluate;
  evaluate.scoring = model.scoring;
  evaluate.false_reject = config.false_reject;
  progress.message(fmt::format("evaluating: {}, seed {}", arm.name, seed));
  Evaluation evaluation =
      evaluate_model(model, *inspector, *arm.dataset, evaluate, /*allow_leakage=*/false, progress);
  auto run = std::make_shared<ArmRun>(ArmRun{seed, std::move(model), std::move(inspector),
                                             std::move(evaluation), place.kept.model, place.kept.epochs});
  const TrainingRecord& training = run->model.training;
  const TrainingTimes times = training.times.value_or(TrainingTimes{});
  run->training_seconds = times.features + times.training;
  run->peak_mib = training.peak_mib.value_or(0);
  run->model_mib = static_cast<double>(fs::file_size(place.kept.model)) / (1 << 20);
  run->milliseconds_image = 1000 * run->evaluation.seconds_per_image;
  return run;
}

/// Nothing when the arm may be refused and `work` refuses it.
template <class Work>
auto unless_refused(const Arm& arm, ProgressSink& progress, const Work& work)
    -> std::optional<decltype(work())> {
  try {
    return work();
  } catch (const Error& e) {
    if (!arm.may_be_refused || (e.code() != ErrorCode::kBadInput && e.code() != ErrorCode::kConfig)) throw;
    progress.message(fmt::format("{} is left out: {}", arm.name, e.what()));
    return std::nullopt;
  }
}

}  // namespace

std::shared_ptr<ArmRun> train_and_evaluate(const Arm& arm, int seed, const fs::path& models,
                                           FeatureLibrary& library, ProgressSink& progress) {
  const Place place = place_of(arm, seed, models);
  return evaluated(arm, place, trained(arm, place, seed, library, progress), seed, progress);
}

ArmRunner::ArmRunner(fs::path models, ProgressSink& progress)
    : models_(std::move(models)), progress_(progress), library_(std::make_unique<FeatureLibrary>()) {}

ArmRunner::~ArmRunner() = default;

void ArmRunner::train(const std::vector<Arm>& arms, int seeds, const TrainingShare& share) {
  std::set<std::string> seen;
  int index = 0;
  for (int seed = 0; seed < seeds; ++seed) {
    for (const Arm& arm : arms) {
      const Place place = place_of(arm, seed, models_);
      if (!seen.insert(place.kept.name).second) continue;
      if (index++ % share.count != share.index) continue;
      unless_refused(arm, progress_, [&] { return trained(arm, place, seed, *library_, progress_); });
    }
  }
}

std::vector<ArmResult> ArmRunner::run(const std::vector<Arm>& arms, int seeds) {
  std::vector<ArmResult> out;
  for (const Arm& arm : arms) out.push_back({arm.name, {}});
  for (int seed = 0; seed < seeds; ++seed) {
    for (std::size_t i = 0; i < arms.size(); ++i) {
      const Arm& arm = arms[i];
      const Place place = place_of(arm, seed, models_);
      auto& known = done_[place.kept.name];
      if (!known) {
        std::optional<Model> model =
            unless_refused(arm, progress_, [&] { return trained(arm, place, seed, *library_, progress_); });
        if (!model) continue;
        known = evaluated(arm, place, std::move(*model), seed, progress_);
      }
      out[i].runs.push_back(known);
    }
  }
  return out;
}

std::vector<int> image_labels(const Evaluation& evaluation) {
  std::vector<int> out;
  for (const ScoredImage& image : evaluation.images) out.push_back(image.sample.anomalous() ? 1 : 0);
  return out;
}

RepeatedScores image_scores(const ArmResult& arm) {
  RepeatedScores out;
  for (const auto& run : arm.runs) {
    out.emplace_back();
    for (const ScoredImage& image : run->evaluation.images) out.back().push_back(image.score);
  }
  return out;
}

MeanFigure mean_figure(const ArmResult& arm, ArmFigure figure) {
  GLINT_CHECK(!arm.runs.empty());
  MeanFigure out{0, 1e300, -1e300, {}};
  for (const auto& run : arm.runs) {
    const double v = figure_of(run->evaluation, figure).value;
    out.mean += v / static_cast<double>(arm.runs.size());
    out.lowest = std::min(out.lowest, v);
    out.highest = std::max(out.highest, v);
  }
  if (figure == ArmFigure::kImageAuroc) {
    out.estimate = mean_auroc_interval(image_scores(arm), image_labels(arm.runs[0]->evaluation));
  } else {
    out.estimate = bootstrap_interval(out.mean, mean_replicates_of(arm, figure), pixel_units(arm));
  }
  return out;
}

std::string seeds_range(double lowest, double highest, std::size_t seeds) {
  return seeds == 1 ? "one seed" : fmt::format("{:.3f}–{:.3f}", lowest, highest);
}

PairedDifference paired_difference(const ArmResult& first, const ArmResult& second) {
  PairedDifference d{first.name, second.name, {}, {}, {}, {}};
  d.image_auroc = mean_auroc_difference(image_scores(first), image_scores(second),
                                        image_labels(first.runs[0]->evaluation));
  d.pixel_auroc = pixel_difference(first, second, ArmFigure::kPixelAuroc);
  d.pixel_ap = pixel_difference(first, second, ArmFigure::kPixelAp);
  d.aupro = pixel_difference(first, second, ArmFigure::kAupro);
  return d;
}

}  // namespace glint
