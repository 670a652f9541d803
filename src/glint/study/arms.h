// Arms of an experiment: configurations that are trained and evaluated over the same seeds, so that they can
// be compared. Studies and the league are made of these.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "glint/evaluate/evaluate.h"
#include "glint/fit/config.h"

namespace glint {

class FeatureLibrary;

struct Arm {
  std::string name;
  std::shared_ptr<const Dataset> dataset;
  /// A fresh configuration for a seed.
  std::function<std::unique_ptr<TrainConfig>(int seed)> configure;
  bool keep_epochs = false;  ///< the weights of every meta-epoch too
  /// A training that its data or options do not allow leaves the arm without that run, with a message.
  bool may_be_refused = false;
};

/// One trained and evaluated detector.
struct ArmRun {
  int seed = 0;
  Model model;
  std::unique_ptr<Inspector> inspector;
  Evaluation evaluation;
  std::filesystem::path model_file;
  std::filesystem::path epochs;   ///< of every meta-epoch's weights; empty = not kept
  double training_seconds = 0;    ///< features and training
  double milliseconds_image = 0;  ///< decoding to score, in the evaluation's batches
  double peak_mib = 0;            ///< largest resident memory while training
  double model_mib = 0;
};

struct ArmResult {
  std::string name;
  std::vector<std::shared_ptr<const ArmRun>> runs;  ///< by seed
};

/// Trains what is not in the folder `models` yet, and evaluates. Errors as fit_model and evaluate_model state
/// them.
std::shared_ptr<ArmRun> train_and_evaluate(const Arm& arm, int seed, const std::filesystem::path& models,
                                           FeatureLibrary& library, ProgressSink& progress);

/// Part `index` of `count` of the trainings.
struct TrainingShare {
  int index = 0, count = 1;
};

/// Trains what is not there yet and evaluates. A model's file is named after everything that decides its
/// result, so that experiments in one folder share models; an interrupted training goes on where it stopped.
class ArmRunner {
 public:
  ArmRunner(std::filesystem::path models, ProgressSink& progress);
  ~ArmRunner();
  ArmRunner(const ArmRunner&) = delete;
  ArmRunner& operator=(const ArmRunner&) = delete;

  /// Seed by seed, so that arms of one seed find their features in memory.
  std::vector<ArmResult> run(const std::vector<Arm>& arms, int seeds);
  /// Only trains, and only a part of what `run` would train: for several processes at once.
  void train(const std::vector<Arm>& arms, int seeds, const TrainingShare& share);

 private:
  std::filesystem::path models_;
  ProgressSink& progress_;
  std::unique_ptr<FeatureLibrary> library_;
  std::map<std::string, std::shared_ptr<const ArmRun>> done_;  ///< by the model's file name
};

enum class ArmFigure { kImageAuroc, kPixelAuroc, kPixelAp, kAupro };

/// Mean over seeds of one figure, and what else is known of it.
struct MeanFigure {
  double mean = 0, lowest = 0, highest = 0;  ///< over the seeds
  Estimate estimate;                         ///< of the mean, interval over the test images
};
MeanFigure mean_figure(const ArmResult& arm, ArmFigure figure);
/// "0.812–0.853": the range of the seeds' figures, which is no interval; "one seed" when there is no range.
std::string seeds_range(double lowest, double highest, std::size_t seeds);

struct PairedDifference {
  std::string first, second;              ///< arms; figures are first minus second
  Estimate image_auroc;                   ///< mean_auroc_difference
  Estimate pixel_auroc, pixel_ap, aupro;  ///< bootstrap over images, paired
};
/// Both arms evaluated on the same test images.
PairedDifference paired_difference(const ArmResult& first, const ArmResult& second);

/// Image scores of every run, over the images of the first.
RepeatedScores image_scores(const ArmResult& arm);
/// 1 = anomalous, in the order of the evaluation's images.
std::vector<int> image_labels(const Evaluation& evaluation);

}  // namespace glint
