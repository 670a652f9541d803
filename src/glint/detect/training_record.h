// What a training says about itself: its readings over the meta-epochs, which of them belong in one figure,
// whether it saturated, how long it took, and figures of the method's own. Every room reads these fields; the
// JSON form is that of "training" in docs/model-file.md. Free of libtorch.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace glint {

/// What was measured in one meta-epoch, by name.
struct EpochReading {
  int meta_epoch = 0;  ///< from 1
  std::map<std::string, double> values;

  /// NaN when it was not measured.
  double value(const std::string& name) const;
};

/// Readings that one figure shows together.
struct Curve {
  std::string title;
  std::vector<std::string> keys;
};

/// Seconds.
struct TrainingTimes {
  double features = 0, training = 0;
};

/// A figure of the method's own, for people: no room but the method knows its name.
using MethodFigure = std::variant<bool, std::int64_t, double, std::string>;

struct TrainingRecord {
  std::string name;                  ///< of a part; empty for the whole
  std::vector<EpochReading> series;  ///< empty for a method that trains in one pass
  /// What the readings that matter are, a plain phrase for each name.
  std::map<std::string, std::string> readings;
  std::vector<Curve> curves;
  bool saturated = false;
  std::optional<TrainingTimes> times;
  std::optional<double> peak_mib;  ///< memory of the process while it trained, where somebody measured it
  std::map<std::string, MethodFigure> figures;
  std::vector<TrainingRecord> parts;  ///< trainings that this one was made of, before its own series

  nlohmann::json to_json() const;
  /// Error(kBadInput) names the entry below `path` that is missing or of the wrong type, without a file name.
  /// Readings of null, which were not measured, are left out.
  static TrainingRecord from_json(const nlohmann::json& record, const std::string& path);
};

}  // namespace glint
