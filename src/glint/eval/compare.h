// Several methods on one dataset: same split, same seeds, same evaluation, paired differences.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "glint/eval/config.h"
#include "glint/eval/evaluate.h"

namespace glint {

struct CompareOptions {
  std::vector<std::string> methods;
  int seeds = 3;
  std::filesystem::path models;  ///< folder of the trained models; a finished one is used again
  /// A fresh configuration of a method and seed, with the user's settings.
  std::function<std::unique_ptr<TrainConfig>(const std::string& method, int seed)> configure;
};

/// One trained and evaluated detector.
struct ComparedRun {
  int seed = 0;
  Model model;
  std::unique_ptr<Inspector> inspector;
  Evaluation evaluation;
  double training_seconds = 0;    ///< features and training
  double milliseconds_image = 0;  ///< decoding to score, in the evaluation's batches
  double peak_mib = 0;            ///< largest resident memory while training
  double model_mib = 0;
};

struct ComparedMethod {
  std::string name;
  std::vector<ComparedRun> runs;  ///< by seed
};

/// Mean over seeds of one figure, and what else is known of it.
struct MeanFigure {
  double mean = 0, lowest = 0, highest = 0;  ///< over the seeds
  Estimate estimate;                         ///< of the mean, interval over the test images
};

struct PairedDifference {
  std::string first, second;              ///< methods; figures are first minus second
  Estimate image_auroc;                   ///< DeLong, paired
  Estimate pixel_auroc, pixel_ap, aupro;  ///< bootstrap over images, paired
};

struct Comparison {
  std::vector<ComparedMethod> methods;
  std::vector<PairedDifference> differences;  ///< every pair of methods
};

/// Trains what is not there yet and evaluates everything. Resumable: an interrupted training goes on.
Comparison compare_methods(const Dataset& dataset, const CompareOptions& options, ProgressSink& progress);

enum class ComparedFigure { kImageAuroc, kPixelAuroc, kPixelAp, kAupro };
MeanFigure mean_figure(const ComparedMethod& method, ComparedFigure figure);

/// compare.json
nlohmann::json comparison_json(const Comparison& comparison, const Dataset& dataset);
/// The tables, for the terminal.
std::string comparison_text(const Comparison& comparison);

}  // namespace glint
