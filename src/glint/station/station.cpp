#include "glint/station/station.h"

#include <algorithm>
#include <cmath>
#include <exception>

#include "glint/base/clock.h"
#include "glint/base/error.h"
#include "glint/image/codec.h"
#include "glint/journal/export.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

StationOptions checked(StationOptions options) {
  options.validate();
  if (!options.now) options.now = unix_micros;
  return options;
}

/// NOK before NO DECISION before OK.
int severity(Verdict verdict) {
  return verdict == Verdict::kNok ? 2 : verdict == Verdict::kNoDecision ? 1 : 0;
}

/// How far above its threshold a view lies, in p-values first: those compare between models.
bool more_anomalous(const ReviewedInspection& a, const ReviewedInspection& b) {
  const int sa = severity(a.final_verdict()), sb = severity(b.final_verdict());
  if (sa != sb) return sa > sb;
  const InspectionRecord &x = a.inspection, &y = b.inspection;
  if (!std::isfinite(x.score) || !std::isfinite(y.score)) return std::isfinite(x.score);
  if (x.p_value != y.p_value) return x.p_value < y.p_value;
  return x.score - x.threshold > y.score - y.threshold;
}

}  // namespace

void StationOptions::validate() const {
  const auto at_least = [](const char* name, std::int64_t value, std::int64_t least) {
    if (value < least) fail(ErrorCode::kConfig, "{} = {}: must be at least {}", name, value, least);
  };
  at_least("--queue", line.queue_length, 1);
  at_least("--workers", line.workers, 1);
  at_least("--time-limit", line.time_limit.count(), 100);
  at_least("--interval", source.interval.count(), 0);
  at_least("--views", views, 0);
  at_least("--image-space", images.max_bytes, 0);
  for (const std::string& text : sources) parse_source(text);
}

PartVerdict combine_views(const std::string& part_id, std::vector<ReviewedInspection> newest_first,
                          int views) {
  PartVerdict out{part_id, Verdict::kNoDecision, true, {}};
  for (ReviewedInspection& entry : newest_first) {
    const bool known = std::any_of(out.views.begin(), out.views.end(), [&](const auto& other) {
      return other.inspection.view == entry.inspection.view;
    });
    if (!known) out.views.push_back(std::move(entry));
  }
  std::stable_sort(out.views.begin(), out.views.end(), more_anomalous);
  out.complete = !out.views.empty() && std::ssize(out.views) >= views;
  if (!out.views.empty()) out.verdict = out.views[0].final_verdict();
  return out;
}

json inspection_json(const ReviewedInspection& entry) {
  json out = to_json(entry);
  if (entry.inspection.id > 0 && entry.inspection.width > 0) {
    const std::string base = fmt::format("/api/inspections/{}/", entry.inspection.id);
    out["links"] = {{"image", base + "image"}, {"thumbnail", base + "thumbnail"}};
    if (std::isfinite(entry.inspection.score)) out["links"]["map"] = base + "map";
  }
  return out;
}

json part_summary(const PartVerdict& part) {
  return {{"part_id", part.part_id},
          {"verdict", enum_name(part.verdict)},
          {"complete", part.complete},
          {"views", part.views.size()}};
}

json part_json(const PartVerdict& part) {
  json out = part_summary(part);
  out["inspections"] = json::array();
  for (const ReviewedInspection& view : part.views) out["inspections"].push_back(inspection_json(view));
  return out;
}

Station::Station(const std::vector<fs::path>& models, JudgeLoader loader, StationOptions options)
    : options_(checked(std::move(options))),
      shelf_(models, std::move(loader)),
      journal_(options_.journal, {options_.journal_limits.max_bytes, options_.log}),
      statistics_(journal_.searches(), options_.now),
      line_(std::make_unique<Line>(shelf_, journal_, options_.images, options_.line, options_.now)) {
  record_event("station started", fmt::format("glint {}, model {} {}", GLINT_VERSION, shelf_.active_name(),
                                              shelf_.active()->facts().file_sha256));
  line_->on_inspected([this](const Inspected& result) { inspected(result); });
  for (const std::string& text : options_.sources) {
    sources_.push_back(make_source(parse_source(text), options_.source, *line_, journal_.searches(),
                                   [this](const SourceStatus& status) { source_changed(status); }));
  }
  ticker_ = std::thread([this] { tick(); });
}

Station::~Station() {
  stop_.stop();
  ticker_.join();
  sources_.clear();
  line_->stop();
  events_.close();
}

void Station::record_event(const std::string& what, const std::string& detail) {
  journal_.append(EventRecord{0, options_.now(), what, detail});
}

void Station::source_changed(const SourceStatus& status) {
  events_.publish("source", json{{"name", status.name}}.dump());
  constexpr int kMostLines = 100;  // a source that comes and goes all day must not fill a disk
  const std::lock_guard guard(said_mutex_);
  int& said = said_[status.name];
  if (!options_.log || said >= kMostLines) return;
  std::string line = fmt::format("source {}: {}", status.name, enum_name(status.state));
  for (const std::string* text : {&status.message, &status.notice}) line += text->empty() ? "" : "; " + *text;
  options_.log(++said < kMostLines ? line : line + " (said no more; the status goes on saying it)");
}

void Station::inspected(const Inspected& result) {
  const Outcome& outcome = result.outcome;
  ++verdicts_[static_cast<std::size_t>(outcome.record.verdict)];
  elapsed_us_ += std::llround(1000 * outcome.record.elapsed_ms);
  // One of them failing (no memory, a journal that cannot be read) takes nothing from the others.
  std::exception_ptr fault;
  const auto attempt = [&](const auto& work) {
    try {
      work();
    } catch (...) {
      fault = std::current_exception();
    }
  };
  if (outcome.recorded) {
    attempt([&] { statistics_.add(outcome.record); });
    if (result.photograph.width > 0)
      attempt([&] { pictures_.add(outcome.record.id, result.photograph, result.map); });
  }
  attempt([&] {
    json event = inspection_json({outcome.record, std::nullopt});
    event["recorded"] = outcome.recorded;
    if (outcome.recorded && !outcome.record.view.empty() && !outcome.record.part_id.empty())
      event["part"] = part_summary(part_in(journal_.reader(), outcome.record.part_id));
    events_.publish("inspection", json_line(event));
  });
  if (fault) std::rethrow_exception(fault);  // the line counts it
}

PartVerdict Station::part_in(const JournalReader& journal, const std::string& part_id) const {
  InspectionFilter filter;
  filter.part_id = part_id;
  filter.limit = 200;
  return combine_views(part_id, journal.list(filter), options_.views);
}

PartVerdict Station::part(const std::string& part_id) const {
  return part_in(journal_.searches(), part_id);
}

ReviewedInspection Station::review(std::int64_t inspection, Verdict verdict, const std::string& reason,
                                   const std::string& by) {
  if (verdict == Verdict::kNoDecision)
    fail(ErrorCode::kConfig, "verdict = NO DECISION: a review decides OK or NOK");
  const ReviewRecord record =
      journal_.append(ReviewRecord{0, options_.now(), inspection, verdict, reason, by});
  statistics_.review(record);
  ReviewedInspection entry = *journal_.searches().find(inspection);
  if (!options_.collect.empty() && is_overruled_good(entry)) {
    std::string fault;
    try {
      constexpr std::chrono::seconds kKeepTime{10};
      if (!line_->wait_kept(inspection, kKeepTime)) fail(ErrorCode::kIo, "the image is not kept yet");
      collect_good(journal_.searches(), journal_.images_folder(), entry, options_.collect);
    } catch (const std::exception& e) {
      fault = e.what();
    }
    const std::lock_guard guard(said_mutex_);
    collect_fault_ = fault;
  }
  events_.publish("review", json_line(inspection_json(entry)));
  return entry;
}

std::vector<Outcome> Station::trigger_cameras(const std::string& part_id) {
  std::vector<std::shared_ptr<Ticket>> tickets;
  for (const auto& source : sources_) {
    if (!source->status().camera) continue;
    if (auto ticket = source->request(part_id)) tickets.push_back(std::move(ticket));
  }
  if (tickets.empty()) fail(ErrorCode::kConfig, "this station has no camera to trigger; see --source");
  std::vector<Outcome> out;
  for (const auto& ticket : tickets) out.push_back(ticket->wait());
  return out;
}

void Station::activate_model(const std::string& name) {
  shelf_.activate(name);
  record_event("model activated", name + " " + shelf_.active()->facts().file_sha256);
}

void Station::load_model(const std::string& name) {
  shelf_.load(name);
  record_event("model loaded", name);
}

void Station::roll_back_model() {
  shelf_.roll_back();
  record_event("model rolled back", shelf_.active_name() + " " + shelf_.active()->facts().file_sha256);
}

RgbImage Station::kept_photograph(std::int64_t inspection) const {
  const std::string file = journal_.searches().kept_image(inspection);
  if (file.empty()) {
    fail(ErrorCode::kNotFound, "no picture of inspection {} was kept; --keep-images decides which are",
         inspection);
  }
  return decode_image(read_file(journal_.images_folder() / file), file, options_.line.max_pixels);
}

Bytes Station::photograph(std::int64_t inspection) const {
  if (Bytes held = pictures_.photograph(inspection); !held.empty()) return held;
  return photograph_jpeg(kept_photograph(inspection));
}

Bytes Station::map(std::int64_t inspection) const {
  if (Bytes held = pictures_.map(inspection); !held.empty()) return held;
  const auto entry = journal_.searches().find(inspection);
  if (!entry) fail(ErrorCode::kNotFound, "there is no inspection {}", inspection);
  const std::shared_ptr<const Judge> judge = shelf_.active();
  if (judge->facts().file_sha256 != entry->inspection.model)
    fail(ErrorCode::kNotFound, "the model that judged inspection {} is not active", inspection);
  const std::lock_guard guard(redrawing_);
  const InspectionResult again = judge->judge(kept_photograph(inspection));
  return encode_png(map_picture(again.map, judge->facts().colours, kMapSide));
}

Bytes Station::thumbnail(std::int64_t inspection) const {
  if (Bytes held = pictures_.thumbnail(inspection); !held.empty()) return held;
  return thumbnail_jpeg(kept_photograph(inspection));
}

void Station::tick() {
  constexpr std::chrono::milliseconds kPause{500};
  std::string last;
  while (!stop_.wait_for(kPause)) {
    if (events_.readers() == 0) continue;
    try {
      std::string now = json_line(status());
      if (now == last) continue;
      events_.publish("status", now);
      last = std::move(now);
    } catch (const std::exception&) {  // the journal cannot be read: not_ready() says so
    }
  }
}

}  // namespace glint
