// What the station says about itself: status, models, calibration, statistics, readiness, Prometheus metrics.

#include <cmath>

#include "glint/base/clock.h"
#include "glint/base/memory.h"
#include "glint/metrics/estimate_json.h"
#include "glint/station/station.h"

namespace glint {
namespace {

using nlohmann::json;

json number(const std::optional<double>& value) {
  return value ? number_json(*value) : json(nullptr);
}

json source_json(const SourceStatus& s) {
  return {{"name", s.name},
          {"kind", s.kind},
          {"state", enum_name(s.state)},
          {"message", s.message},
          {"notice", s.notice},
          {"frames", s.frames},
          {"triggers", s.triggers},
          {"camera", s.camera},
          {"last_frame", s.last_frame_us > 0 ? json(iso_time(s.last_frame_us)) : json(nullptr)}};
}

/// Quotes a label value (Prometheus text format 0.0.4).
std::string label(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + "\"";
}

}  // namespace

json Station::models() const {
  json list = json::array();
  for (const ShelfEntry& entry : shelf_.list()) {
    json out = {{"name", entry.name},
                {"loaded", entry.judge != nullptr},
                {"active", entry.active},
                {"previous", entry.previous},
                {"file_changed", entry.file_changed}};
    if (entry.judge) {
      const JudgeFacts& facts = entry.judge->facts();
      out["sha256"] = facts.file_sha256;
      out["method"] = facts.method;
      out["backbone"] = facts.backbone;
      out["threshold"] = number(facts.threshold);
    }
    list.push_back(std::move(out));
  }
  return list;
}

json Station::calibration() const {
  const auto judge = shelf_.active();
  const JudgeFacts& facts = judge->facts();
  return {{"model", shelf_.active_name()},
          {"mode", facts.calibration_mode},
          {"guarantee", facts.guarantee},
          {"good_images", facts.good_scores.size()},
          {"threshold", number(facts.threshold)},
          {"wished_rate", facts.wished_rate},
          {"guaranteed_rate", number(facts.guaranteed_rate)},
          {"realised_rate_upper_95", number(facts.realised_rate_upper_95)}};
}

json Station::statistics() {
  const StatisticsSnapshot s = statistics_.snapshot(shelf_.active()->facts());
  json today, trend = json::array(), warnings = json::array();
  for (const auto& [verdict, name] : EnumNames<Verdict>::table) {
    const auto found = s.today.find(verdict);
    today[std::string(name)] = found == s.today.end() ? 0 : found->second;
  }
  for (const TrendPoint& p : s.trend) {
    trend.push_back({{"id", p.id},
                     {"time_us", p.time_us},
                     {"score", number(p.score)},
                     {"threshold", number(p.threshold)},
                     {"verdict", enum_name(p.verdict)}});
  }
  for (const DriftWarning& w : s.warnings) warnings.push_back({{"kind", w.kind}, {"text", w.text}});
  json limits = nullptr;
  if (s.limits) {
    limits = {{"centre", number(s.limits->centre)},
              {"lower", number(s.limits->lower)},
              {"upper", number(s.limits->upper)}};
  }
  return {{"today", today},
          {"reject_rate_today",
           {{"value", number(s.reject_rate_today.value)},
            {"ci_low", number(s.reject_rate_today.ci_low)},
            {"ci_high", number(s.reject_rate_today.ci_high)}}},
          {"threshold", number(s.threshold)},
          {"limits", limits},
          {"trend", trend},
          {"drift",
           {{"window", kDriftWindow},
            {"bound", kDriftBound},
            {"mean_shift", number(s.mean_shift)},
            {"spread_shift", number(s.spread_shift)},
            {"exposure_shift", number(s.exposure_shift)},
            {"warnings", warnings}}}};
}

std::vector<std::string> Station::not_ready() const {
  std::vector<std::string> out;
  if (const std::string fault = line_->journal_fault(); !fault.empty()) out.push_back("journal: " + fault);
  for (const auto& source : sources_) {
    const SourceStatus s = source->status();
    if (s.state == SourceState::kGone) out.push_back("source " + s.name + ": " + s.message);
  }
  return out;
}

json Station::status() {
  json sources = json::array(), warnings = json::array();
  for (const auto& source : sources_) sources.push_back(source_json(source->status()));
  for (const std::string& text : not_ready()) warnings.push_back(text);
  for (const ShelfEntry& entry : shelf_.list()) {
    if (entry.active && entry.file_changed) {
      warnings.push_back("model " + entry.name +
                         ": the file was replaced or removed; the loaded one stays "
                         "active until it is loaded again");
    }
  }
  if (const std::string fault = line_->listener_fault(); !fault.empty())
    warnings.push_back("statistics and pictures of the last part: " + fault);
  {
    const std::lock_guard guard(said_mutex_);
    if (!collect_fault_.empty()) warnings.push_back("collecting the last overruled part: " + collect_fault_);
  }
  const ChainHead head = journal_.searches().head();
  return {{"version", GLINT_VERSION},
          {"model", shelf_.active_name()},
          {"models", models()},
          {"calibration", calibration()},
          {"statistics", statistics()},
          {"sources", sources},
          {"warnings", warnings},
          {"queue", line_->counters().waiting},
          {"journal", {{"records", head.id}, {"head", head.hash}}},
          {"collects", !options_.collect.empty()}};
}

std::string Station::prometheus() {
  std::string out;
  const auto family = [&](const char* name, const char* type, const char* help) {
    out += fmt::format("# HELP glint_{0} {2}\n# TYPE glint_{0} {1}\n", name, type, help);
  };
  const auto single = [&](const char* name, const char* type, const char* help, auto value) {
    family(name, type, help);
    out += fmt::format("glint_{} {}\n", name, value);
  };
  family("inspections_total", "counter", "Triggers that ended, by verdict.");
  std::int64_t total = 0;
  for (const auto& [verdict, name] : EnumNames<Verdict>::table) {
    const std::int64_t count = verdicts_[static_cast<std::size_t>(verdict)];
    total += count;
    out += fmt::format("glint_inspections_total{{verdict={}}} {}\n", label(std::string(name)), count);
  }
  family("inspection_seconds", "summary", "From trigger to record.");
  out += fmt::format("glint_inspection_seconds_sum {}\nglint_inspection_seconds_count {}\n",
                     static_cast<double>(elapsed_us_.load()) / 1e6, total);
  const LineCounters c = line_->counters();
  single("queue_length", "gauge", "Triggers waiting to be decoded.", c.waiting);
  single("refused_total", "counter", "Requests refused because the line was full.", c.refused_full);
  single("repeated_total", "counter", "Requests answered from an earlier one by idempotency key.",
         c.repeated);
  single("unrecorded_total", "counter", "Triggers whose record the journal did not take.", c.unrecorded);
  single("images_not_kept_total", "counter", "Images that could not be written.", c.images_not_kept);
  single("listener_failures_total", "counter", "Parts whose statistics, pictures or event failed.",
         c.listener_failures);
  single("waiting_bytes", "gauge", "Memory of all images that wait in the line.", c.held_bytes);
  single("journal_records", "gauge", "Records in the journal.", journal_.searches().head().id);
  single("journal_writable", "gauge", "1 when the journal's last write went well.",
         line_->journal_fault().empty() ? 1 : 0);
  single("event_readers", "gauge", "Pages that listen.", events_.readers());
  single("resident_memory_bytes", "gauge", "Memory of this process.", resident_bytes());
  const StatisticsSnapshot s = statistics_.snapshot(shelf_.active()->facts());
  family("drift", "gauge", "Standardised change of good parts against the calibration.");
  for (const auto& [kind, value] :
       {std::pair("mean", s.mean_shift), {"spread", s.spread_shift}, {"exposure", s.exposure_shift}}) {
    if (value && std::isfinite(*value)) out += fmt::format("glint_drift{{kind=\"{}\"}} {}\n", kind, *value);
  }
  family("source_up", "gauge", "1 while the source gives frames.");
  for (const auto& source : sources_) {
    const SourceStatus status = source->status();
    out += fmt::format("glint_source_up{{source={}}} {}\n", label(status.name),
                       status.state == SourceState::kRunning ? 1 : 0);
  }
  family("model_info", "gauge", "1 for the active model.");
  out += fmt::format("glint_model_info{{name={},sha256={}}} 1\n", label(shelf_.active_name()),
                     label(shelf_.active()->facts().file_sha256));
  return out;
}

}  // namespace glint
