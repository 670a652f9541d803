#include "glint/detect/training_record.h"

#include <cmath>
#include <limits>

#include "glint/base/error.h"

namespace glint {
namespace {

using nlohmann::json;

constexpr const char* kSeries = "series";
constexpr const char* kMetaEpoch = "meta_epoch";
constexpr const char* kReadings = "readings";
constexpr const char* kCurves = "curves";
constexpr const char* kTitle = "title";
constexpr const char* kKeys = "keys";
constexpr const char* kSaturated = "saturated";
constexpr const char* kFeatureSeconds = "feature_seconds";
constexpr const char* kTrainingSeconds = "training_seconds";
constexpr const char* kPeak = "peak_mib";

[[noreturn]] void refuse(const std::string& path, const char* what) {
  fail(ErrorCode::kBadInput, "'{}' {}", path, what);
}

EpochReading read_epoch(const json& reading, const std::string& path) {
  if (!reading.is_object()) refuse(path, "holds something that is no object");
  if (!reading.contains(kMetaEpoch) || !reading[kMetaEpoch].is_number_integer())
    refuse(path, "lacks a meta_epoch");
  EpochReading out{reading[kMetaEpoch].get<int>(), {}};
  for (const auto& [key, value] : reading.items()) {
    if (key == kMetaEpoch || value.is_null()) continue;
    if (!value.is_number()) refuse(path, "holds something that is no number");
    out.values[key] = value.get<double>();
  }
  return out;
}

Curve read_curve(const json& curve, const std::string& path) {
  if (!curve.is_object() || !curve.contains(kTitle) || !curve[kTitle].is_string() || !curve.contains(kKeys) ||
      !curve[kKeys].is_array())
    refuse(path, "lacks titles or keys");
  Curve out{curve[kTitle].get<std::string>(), {}};
  for (const json& key : curve[kKeys]) {
    if (!key.is_string()) refuse(path, "has a key that is no text");
    out.keys.push_back(key.get<std::string>());
  }
  return out;
}

double read_number(const json& value, const std::string& path) {
  if (!value.is_number()) refuse(path, "is no number");
  return value.get<double>();
}

}  // namespace

double EpochReading::value(const std::string& name) const {
  const auto found = values.find(name);
  return found == values.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
}

json TrainingRecord::to_json() const {
  json out = {{kSeries, json::array()}, {kCurves, json::array()}, {kSaturated, saturated}};
  for (const EpochReading& reading : series) {
    json entry(reading.values);
    entry[kMetaEpoch] = reading.meta_epoch;
    out[kSeries].push_back(std::move(entry));
  }
  if (!readings.empty()) out[kReadings] = readings;
  for (const Curve& curve : curves) out[kCurves].push_back({{kTitle, curve.title}, {kKeys, curve.keys}});
  if (times) {
    out[kFeatureSeconds] = times->features;
    out[kTrainingSeconds] = times->training;
  }
  if (peak_mib) out[kPeak] = *peak_mib;
  for (const auto& [key, figure] : figures)
    std::visit([&, &at = key](const auto& value) { out[at] = value; }, figure);
  for (const TrainingRecord& part : parts) out[part.name] = part.to_json();
  return out;
}

TrainingRecord TrainingRecord::from_json(const json& record, const std::string& path) {
  if (!record.is_object()) refuse(path, "is no object");
  TrainingRecord out;
  for (const auto& [key, value] : record.items()) {
    const std::string at = path + '.' + key;
    if (key == kSeries || key == kCurves) {
      if (!value.is_array()) refuse(at, "is no list");
      for (const json& entry : value) {
        if (key == kSeries) {
          out.series.push_back(read_epoch(entry, at));
        } else {
          out.curves.push_back(read_curve(entry, at));
        }
      }
    } else if (key == kReadings) {
      if (!value.is_object()) refuse(at, "is no object");
      for (const auto& [reading, phrase] : value.items()) {
        if (!phrase.is_string()) refuse(at + '.' + reading, "is no text");
        out.readings[reading] = phrase.get<std::string>();
      }
    } else if (key == kSaturated) {
      if (!value.is_boolean()) refuse(at, "is neither true nor false");
      out.saturated = value.get<bool>();
    } else if (key == kFeatureSeconds || key == kTrainingSeconds) {
      if (!out.times) out.times.emplace();
      (key == kFeatureSeconds ? out.times->features : out.times->training) = read_number(value, at);
    } else if (key == kPeak) {
      out.peak_mib = read_number(value, at);
    } else if (value.is_object()) {
      out.parts.push_back(from_json(value, at));
      out.parts.back().name = key;
    } else if (value.is_boolean()) {
      out.figures[key] = value.get<bool>();
    } else if (value.is_number_integer()) {
      out.figures[key] = value.get<std::int64_t>();
    } else if (value.is_number()) {
      out.figures[key] = value.get<double>();
    } else if (value.is_string()) {
      out.figures[key] = value.get<std::string>();
    } else {
      refuse(at, "is neither number, text nor object");
    }
  }
  return out;
}

}  // namespace glint
