// The whole configuration of a training run: every option once, for command line, file, model and report.
#pragma once

#include <memory>
#include <string>

#include "glint/base/options.h"
#include "glint/data/augment.h"
#include "glint/detect/detector.h"
#include "glint/detect/input.h"
#include "glint/detect/scoring.h"
#include "glint/nn/precision.h"

namespace glint {

enum class CalibrationMode { kAuto, kHoldout, kCrossfit, kFolder };
template <>
struct EnumNames<CalibrationMode> {
  static constexpr std::pair<CalibrationMode, std::string_view> table[] = {
      {CalibrationMode::kAuto, "auto"},
      {CalibrationMode::kHoldout, "holdout"},
      {CalibrationMode::kCrossfit, "crossfit"},
      {CalibrationMode::kFolder, "folder"}};
};

/// Not copyable: the option table refers to its fields.
struct TrainConfig {
  std::string method_name;
  std::string backbone = "compact";  ///< "none" for a method that reads none, whatever was asked for
  Recipe recipe = Recipe::kRefined;
  std::int64_t seed = 0;
  DeviceChoice device = DeviceChoice::kAuto;
  Precision precision = Precision::kAuto;
  Engine engine = Engine::kAuto;
  double cache_gib = 4;
  AugmentRegime augment = AugmentRegime::kMild;
  int augment_draws = 8;
  CalibrationMode calibration = CalibrationMode::kAuto;
  double false_reject = 0;  ///< 0: fit_model chooses (promisable_rate) and fills it in
  double holdout_share = 0.2;
  int holdout_least = 50;
  int folds = 5;
  int shots = 0;  ///< 0 = all good images train
  std::string
      textures;  ///< folder of pictures of other things; empty: rendered ones, where a method uses any
  InputOptions input;
  ScoringOptions scoring;
  std::unique_ptr<Method> method;

  /// Method, recipe and the backbone's network (whether given by name or by file) fix the defaults of
  /// everything else; set other options afterwards.
  TrainConfig(const std::string& method, const std::string& backbone, Recipe recipe);
  TrainConfig(const TrainConfig&) = delete;
  TrainConfig& operator=(const TrainConfig&) = delete;

  OptionTable table();
  void validate() const;
};

}  // namespace glint
