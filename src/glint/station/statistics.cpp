#include "glint/station/statistics.h"

#include <algorithm>
#include <cmath>

#include "glint/base/clock.h"
#include "glint/base/error.h"

namespace glint {

Statistics::Statistics(const JournalReader& journal, std::function<std::int64_t()> now)
    : journal_(journal), now_(std::move(now)) {
  roll_day(now_());
  InspectionFilter newest;
  newest.limit = kTrend;
  auto entries = journal_.list(newest);
  for (auto e = entries.rbegin(); e != entries.rend(); ++e) remember(e->inspection, e->final_verdict());
}

void Statistics::roll_day(std::int64_t now_us) {
  const std::int64_t midnight = local_midnight(now_us);
  if (midnight == day_start_us_) return;
  day_start_us_ = midnight;
  today_ = journal_.counts_since(midnight);
}

void Statistics::remember(const InspectionRecord& record, Verdict final_verdict) {
  recent_.push_back({{record.id, record.time_us, record.score, record.threshold, final_verdict},
                     record.brightness,
                     record.model});
  if (recent_.size() > kTrend) recent_.pop_front();
}

void Statistics::add(const InspectionRecord& record) {
  const std::lock_guard guard(mutex_);
  const std::int64_t before = day_start_us_;
  roll_day(now_());
  // A new day's counts were read from the journal, which has this record already.
  if (day_start_us_ == before && record.time_us >= day_start_us_) ++today_[record.verdict];
  remember(record, record.verdict);
  if (record.model == model_ && !exposures_ && std::isfinite(record.brightness)) {
    exposure_values_.push_back(record.brightness);
    if (std::ssize(exposure_values_) >= kExposureReference) exposures_.emplace(exposure_values_);
  }
}

void Statistics::review(const ReviewRecord& review) {
  const std::lock_guard guard(mutex_);
  for (Entry& entry : recent_) {
    if (entry.point.id == review.inspection) entry.point.verdict = review.verdict;
  }
}

void Statistics::use_model(const JudgeFacts& active) {
  if (model_ == active.file_sha256) return;
  model_ = active.file_sha256;
  scores_.reset();
  if (active.good_scores.size() >= 2) scores_.emplace(active.good_scores);
  exposures_.reset();
  exposure_values_.clear();
  for (const InspectionRecord& record : journal_.first_of_model(model_, kExposureReference)) {
    if (std::isfinite(record.brightness)) exposure_values_.push_back(record.brightness);
  }
  if (std::ssize(exposure_values_) >= kExposureReference) exposures_.emplace(exposure_values_);
}

StatisticsSnapshot Statistics::snapshot(const JudgeFacts& active) {
  const std::lock_guard guard(mutex_);
  roll_day(now_());
  use_model(active);
  StatisticsSnapshot out;
  out.today = today_;
  out.threshold = active.threshold;
  const std::int64_t rejected = today_[Verdict::kNok];
  out.reject_rate_today = wilson_rate(rejected, rejected + today_[Verdict::kOk]);
  std::vector<double> scores, exposures;
  for (const Entry& entry : recent_) {
    if (entry.model != model_) continue;
    out.trend.push_back(entry.point);
    if (entry.point.verdict == Verdict::kOk) {
      scores.push_back(entry.point.score);
      if (std::isfinite(entry.brightness)) exposures.push_back(entry.brightness);
    }
  }
  const auto warn = [&](const char* kind, std::string text) {
    out.warnings.push_back({kind, std::move(text)});
  };
  if (scores_) out.limits = scores_->limits();
  const auto newest = [](const std::vector<double>& values) {
    return std::span(values).last(static_cast<std::size_t>(kDriftWindow));
  };
  if (scores_ && std::ssize(scores) >= kDriftWindow) {
    out.mean_shift = scores_->mean_shift(newest(scores));
    out.spread_shift = scores_->spread_shift(newest(scores));
    if (std::abs(*out.mean_shift) > kDriftBound) {
      warn("mean", fmt::format("scores of good parts have moved {}: check light, position and the parts "
                               "themselves, then train again with new good parts",
                               *out.mean_shift > 0 ? "up" : "down"));
    }
    if (*out.spread_shift > kDriftBound)
      warn("spread", "scores of good parts scatter more than at calibration: check fixture, light and focus");
  }
  if (exposures_ && std::ssize(exposures) >= kDriftWindow) {
    out.exposure_shift = exposures_->mean_shift(newest(exposures));
    if (std::abs(*out.exposure_shift) > kDriftBound) {
      warn("exposure", fmt::format("images have become {} than the first {} under this model: check lamp and "
                                   "exposure time",
                                   *out.exposure_shift > 0 ? "brighter" : "darker", kExposureReference));
    }
  }
  if (scores_ && !out.trend.empty() && out.trend.back().verdict == Verdict::kOk &&
      out.trend.back().score > out.limits->upper) {
    warn("outlier", "the last good part lies above the control limit");
  }
  return out;
}

}  // namespace glint
