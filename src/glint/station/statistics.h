// Counts, reject rate and drift of the running line.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "glint/journal/journal.h"
#include "glint/metrics/control_chart.h"
#include "glint/metrics/intervals.h"
#include "glint/station/judge.h"

namespace glint {

/// A change of the line that calls for a look before parts fail.
struct DriftWarning {
  std::string kind;  ///< mean, spread, exposure, outlier
  std::string text;  ///< what changed and what to check
};

/// One point of the trend chart.
struct TrendPoint {
  std::int64_t id = 0, time_us = 0;
  double score = 0, threshold = 0;
  Verdict verdict = Verdict::kOk;  ///< the operator's where there is one
};

struct StatisticsSnapshot {
  std::map<Verdict, std::int64_t> today;
  Estimate reject_rate_today;           ///< NOK of OK + NOK, Wilson
  std::vector<TrendPoint> trend;        ///< oldest first, of the active model
  std::optional<ControlLimits> limits;  ///< of the calibration's good parts
  double threshold = 0;
  std::optional<double> mean_shift, spread_shift,
      exposure_shift;  ///< standardised; absent below a full window
  std::vector<DriftWarning> warnings;
};

/// Thread-safe.
class Statistics {
 public:
  static constexpr std::size_t kTrend = 200;
  static constexpr int kExposureReference = 50;  ///< first parts under a model: what its exposure should be

  Statistics(const JournalReader& journal, std::function<std::int64_t()> now);

  void add(const InspectionRecord& record);
  /// An operator's verdict replaces the detector's in the trend.
  void review(const ReviewRecord& review);
  StatisticsSnapshot snapshot(const JudgeFacts& active);

 private:
  struct Entry {
    TrendPoint point;
    double brightness = kNotMeasured;
    std::string model;
  };
  void roll_day(std::int64_t now_us);
  void remember(const InspectionRecord& record, Verdict final_verdict);
  void use_model(const JudgeFacts& active);

  const JournalReader& journal_;
  std::function<std::int64_t()> now_;
  mutable std::mutex mutex_;
  std::int64_t day_start_us_ = 0;
  std::map<Verdict, std::int64_t> today_;
  std::deque<Entry> recent_;
  std::string model_;                        ///< that the references below belong to
  std::optional<DriftReference> scores_;     ///< of the calibration's good parts
  std::vector<double> exposure_values_;      ///< until there are enough
  std::optional<DriftReference> exposures_;  ///< of the first parts under the model
};

}  // namespace glint
