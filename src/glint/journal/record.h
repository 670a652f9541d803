// What the journal records, as values, and as the JSON text that is hashed and stored.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "glint/base/options.h"
#include "glint/image/regions.h"

namespace glint {

/// Every trigger ends in one of these. NO DECISION comes with a reason.
enum class Verdict { kOk, kNok, kNoDecision };
template <>
struct EnumNames<Verdict> {
  static constexpr std::pair<Verdict, std::string_view> table[] = {
      {Verdict::kOk, "OK"}, {Verdict::kNok, "NOK"}, {Verdict::kNoDecision, "NO DECISION"}};
};

inline constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

/// One image of one part.
struct InspectionRecord {
  std::int64_t id = 0;       ///< given by the journal, from 1 on without gaps over all kinds of records
  std::int64_t time_us = 0;  ///< UTC wall clock at the trigger, microseconds since 1970
  Verdict verdict = Verdict::kNoDecision;
  std::string reason;         ///< why there is no decision; otherwise empty
  std::string source;         ///< "http", or the name of the source
  std::int64_t sequence = 0;  ///< of the source, from 1
  std::string part_id, view;  ///< empty when not given
  std::string idempotency_key;
  std::string model;  ///< SHA-256 of the model file; empty when none was asked
  double score = kNotMeasured, threshold = kNotMeasured, p_value = kNotMeasured;
  std::vector<Region> regions;  ///< pixels of the photograph
  std::string image_sha256;     ///< of the file as posted or as kept; empty when there is no image
  int width = 0, height = 0;
  double brightness = kNotMeasured;  ///< mean luma, 0 to 255
  double elapsed_ms = 0;             ///< from the trigger to the record
};

/// An operator's word on an inspection.
struct ReviewRecord {
  std::int64_t id = 0, time_us = 0;
  std::int64_t inspection = 0;  ///< its id
  Verdict verdict = Verdict::kOk;
  std::string reason;
  std::string by;  ///< operator, as given
};

/// Anything else worth a place in the chain: start, model activation, roll-back.
struct EventRecord {
  std::int64_t id = 0, time_us = 0;
  std::string what;    ///< e.g. "model activated"
  std::string detail;  ///< e.g. the model's SHA-256 and file name
};

/// Text as the journal holds it: UTF-8. Bytes that are none are written by the rule of base/names.h, other
/// text stays as it is. For everything that comes in as text, and for what is looked for.
std::string journal_text(const std::string& text);

/// JSON on one line; bytes that are no UTF-8 are replaced instead of refused.
std::string json_line(const nlohmann::json& json);

nlohmann::json to_json(const std::vector<Region>& regions);
std::vector<Region> regions_from_json(const nlohmann::json& json);

/// Without `id`; numbers that were not measured and empty texts are left out.
nlohmann::json to_json(const InspectionRecord& record);
nlohmann::json to_json(const ReviewRecord& record);
nlohmann::json to_json(const EventRecord& record);

/// Error(kBadInput) when a field is missing or of the wrong type.
InspectionRecord inspection_from_json(std::int64_t id, const nlohmann::json& body);
ReviewRecord review_from_json(std::int64_t id, const nlohmann::json& body);

}  // namespace glint
