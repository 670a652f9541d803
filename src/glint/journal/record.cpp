#include "glint/journal/record.h"

#include <cmath>

#include "glint/base/clock.h"
#include "glint/base/error.h"
#include "glint/base/names.h"

namespace glint {
namespace {

using nlohmann::json;

void put(json& out, const char* key, const std::string& text) {
  if (!text.empty()) out[key] = journal_text(text);
}
void put(json& out, const char* key, double number) {
  if (std::isfinite(number)) out[key] = number;
}

/// Runs a conversion whose json errors become ours.
template <class T, class Convert>
T converted(std::int64_t id, const Convert& convert) {
  try {
    return convert();
  } catch (const json::exception& e) {
    fail(ErrorCode::kBadInput, "journal record {}: {}", id, e.what());
  }
}

double number_or_nan(const json& body, const char* key) {
  return body.contains(key) && !body.at(key).is_null() ? body.at(key).get<double>() : kNotMeasured;
}

}  // namespace

std::string journal_text(const std::string& text) {
  return is_utf8(text) ? text : name_text(text);
}

std::string json_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json to_json(const std::vector<Region>& regions) {
  json out = json::array();
  for (const Region& region : regions) {
    out.push_back({{"x", region.x},
                   {"y", region.y},
                   {"width", region.width},
                   {"height", region.height},
                   {"area_px", region.area_px},
                   {"peak", std::isfinite(region.peak) ? json(region.peak) : json(nullptr)}});
  }
  return out;
}

std::vector<Region> regions_from_json(const json& array) {
  std::vector<Region> out;
  for (const json& r : array) {
    out.push_back({r.at("x").get<int>(), r.at("y").get<int>(), r.at("width").get<int>(),
                   r.at("height").get<int>(), r.at("area_px").get<std::int64_t>(),
                   static_cast<float>(number_or_nan(r, "peak"))});
  }
  return out;
}

json to_json(const InspectionRecord& r) {
  json out = {{"time_us", r.time_us},
              {"time", iso_time(r.time_us)},
              {"verdict", enum_name(r.verdict)},
              {"source", journal_text(r.source)},
              {"sequence", r.sequence},
              {"regions", to_json(r.regions)},
              {"elapsed_ms", r.elapsed_ms}};
  put(out, "reason", r.reason);
  put(out, "part_id", r.part_id);
  put(out, "view", r.view);
  put(out, "idempotency_key", r.idempotency_key);
  put(out, "model", r.model);
  put(out, "score", r.score);
  put(out, "threshold", r.threshold);
  put(out, "p_value", r.p_value);
  put(out, "image_sha256", r.image_sha256);
  put(out, "brightness", r.brightness);
  if (r.width > 0) {
    out["width"] = r.width;
    out["height"] = r.height;
  }
  return out;
}

json to_json(const ReviewRecord& r) {
  json out = {{"time_us", r.time_us},
              {"time", iso_time(r.time_us)},
              {"inspection", r.inspection},
              {"verdict", enum_name(r.verdict)}};
  put(out, "reason", r.reason);
  put(out, "by", r.by);
  return out;
}

json to_json(const EventRecord& r) {
  json out = {{"time_us", r.time_us}, {"time", iso_time(r.time_us)}, {"what", journal_text(r.what)}};
  put(out, "detail", r.detail);
  return out;
}

InspectionRecord inspection_from_json(std::int64_t id, const json& b) {
  return converted<InspectionRecord>(id, [&] {
    InspectionRecord r;
    r.id = id;
    r.time_us = b.at("time_us").get<std::int64_t>();
    r.verdict = parse_enum<Verdict>(b.at("verdict").get<std::string>(), "verdict");
    r.reason = b.value("reason", "");
    r.source = b.value("source", "");
    r.sequence = b.value("sequence", std::int64_t{0});
    r.part_id = b.value("part_id", "");
    r.view = b.value("view", "");
    r.idempotency_key = b.value("idempotency_key", "");
    r.model = b.value("model", "");
    r.score = number_or_nan(b, "score");
    r.threshold = number_or_nan(b, "threshold");
    r.p_value = number_or_nan(b, "p_value");
    r.regions = regions_from_json(b.value("regions", json::array()));
    r.image_sha256 = b.value("image_sha256", "");
    r.width = b.value("width", 0);
    r.height = b.value("height", 0);
    r.brightness = number_or_nan(b, "brightness");
    r.elapsed_ms = b.value("elapsed_ms", 0.0);
    return r;
  });
}

ReviewRecord review_from_json(std::int64_t id, const json& b) {
  return converted<ReviewRecord>(id, [&] {
    return ReviewRecord{id,
                        b.at("time_us").get<std::int64_t>(),
                        b.at("inspection").get<std::int64_t>(),
                        parse_enum<Verdict>(b.at("verdict").get<std::string>(), "verdict"),
                        b.value("reason", ""),
                        b.value("by", "")};
  });
}

}  // namespace glint
