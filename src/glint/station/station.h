// The station as a whole: models, journal, line, sources, statistics, pictures and events, and what the HTTP
// interface asks of them. Knows nothing of HTTP.
#pragma once

#include <array>
#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "glint/station/events.h"
#include "glint/station/line.h"
#include "glint/station/model_shelf.h"
#include "glint/station/pictures.h"
#include "glint/station/source.h"
#include "glint/station/statistics.h"
#include "glint/station/waiting.h"

namespace glint {

struct StationOptions {
  std::filesystem::path journal = "glint-journal.db";
  JournalOptions journal_limits;
  ImageStoreOptions images;
  LineOptions line;
  SourceOptions source;
  std::vector<std::string> sources;
  std::filesystem::path collect;      ///< folder for overruled good parts; empty = none
  int views = 0;                      ///< of one part; a part with fewer is incomplete; 0 = not known
  std::function<std::int64_t()> now;  ///< wall clock in microseconds; empty = the system's
  /// One line on what happens to sources and journal; from any thread; may be empty.
  std::function<void(const std::string&)> log;

  /// Error(kConfig) naming field, value and rule.
  void validate() const;
};

/// Verdict over all views of one part: NOK before NO DECISION before OK, then the most anomalous view.
struct PartVerdict {
  std::string part_id;
  Verdict verdict = Verdict::kNoDecision;
  bool complete = true;
  std::vector<ReviewedInspection> views;  ///< the newest of each view, the deciding one first
};
PartVerdict combine_views(const std::string& part_id, std::vector<ReviewedInspection> newest_first,
                          int views);

/// Thread-safe.
class Station {
 public:
  Station(const std::vector<std::filesystem::path>& models, JudgeLoader loader, StationOptions options);
  ~Station();
  Station(const Station&) = delete;
  Station& operator=(const Station&) = delete;

  Line& line() { return *line_; }
  ModelShelf& shelf() { return shelf_; }
  /// On a connection of its own: nobody who reads it makes the line wait.
  const JournalReader& journal() const { return journal_.searches(); }
  Pictures& pictures() { return pictures_; }
  EventHub& events() { return events_; }
  const StationOptions& options() const { return options_; }

  PartVerdict part(const std::string& part_id) const;
  /// An operator's word. Collects the image of an overruled good part when a folder was named; when that
  /// fails the review stands, and the status says so. Error(kNotFound) for an unknown inspection,
  /// Error(kConfig) for NO DECISION as a verdict.
  ReviewedInspection review(std::int64_t inspection, Verdict verdict, const std::string& reason,
                            const std::string& by);
  /// One trigger for every camera. Error(kConfig) when there is none.
  std::vector<Outcome> trigger_cameras(const std::string& part_id);

  void activate_model(const std::string& name);
  void load_model(const std::string& name);
  void roll_back_model();

  /// The photograph as JPEG and the map as PNG, from memory, or from the kept image and the model that judged
  /// it. Error(kNotFound) says why there is none.
  Bytes photograph(std::int64_t inspection) const;
  Bytes map(std::int64_t inspection) const;
  Bytes thumbnail(std::int64_t inspection) const;

  nlohmann::json status();  ///< everything that the page shows beside the inspections
  nlohmann::json models() const;
  nlohmann::json calibration() const;
  nlohmann::json statistics();
  std::string prometheus();
  /// Empty when ready, else the reasons.
  std::vector<std::string> not_ready() const;

 private:
  void inspected(const Inspected& result);
  void source_changed(const SourceStatus& status);
  PartVerdict part_in(const JournalReader& journal, const std::string& part_id) const;
  void record_event(const std::string& what, const std::string& detail);
  RgbImage kept_photograph(std::int64_t inspection) const;
  void tick();

  StationOptions options_;
  ModelShelf shelf_;
  Journal journal_;
  Pictures pictures_;
  EventHub events_;
  Statistics statistics_;
  std::array<std::atomic<std::int64_t>, 3> verdicts_{};  ///< since the start, by Verdict
  std::atomic<std::int64_t> elapsed_us_{0};
  mutable std::mutex said_mutex_;
  std::map<std::string, int> said_;  ///< lines logged, by source
  std::string collect_fault_;        ///< why the last overruled image was not collected; empty when it was
  std::unique_ptr<Line> line_;
  std::vector<std::unique_ptr<Source>> sources_;
  mutable std::mutex redrawing_;  ///< old maps are computed one at a time, beside the line
  StopSignal stop_;
  std::thread ticker_;
};

/// An inspection as the interface answers it: the record, its review, and where its pictures are.
nlohmann::json inspection_json(const ReviewedInspection& entry);
nlohmann::json part_json(const PartVerdict& part);
/// Without the views themselves.
nlohmann::json part_summary(const PartVerdict& part);

}  // namespace glint
