#include "glint/station/api.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/station/api_input.h"
#include "glint/station/http_connection.h"
#include "glint/station/http_head.h"
#include "glint/station/pages.h"
#include "glint/station/station.h"

namespace glint {
namespace {

using nlohmann::json;

constexpr int kLongestPage = 500;
constexpr std::size_t kLongestIdNumber = 18;
constexpr std::chrono::seconds kHeartbeat{2};

void answer(HttpResponse& response, const json& body, int status = 200) {
  response.status = status;
  response.set_header("Cache-Control", "no-store");
  response.set_content(json_line(body) + "\n", "application/json");
}

int status_of(const Error& e) {
  switch (e.code()) {
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kBadInput:
    case ErrorCode::kConfig:
      return 400;
    default:
      return 503;
  }
}

std::int64_t inspection_id(const std::string& text) {
  if (text.size() > kLongestIdNumber ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
    throw Refusal{404, "there is no such inspection"};
  return whole_number("id", text);
}

json outcome_json(const Outcome& outcome) {
  json out = inspection_json({outcome.record, std::nullopt});
  out["recorded"] = outcome.recorded;
  out["repeated"] = outcome.repeated;
  return out;
}

/// Counts down again whatever happens.
class Slot {
 public:
  Slot(std::atomic<int>& taken, int most) : taken_(taken), free_(++taken <= most) {}
  ~Slot() { --taken_; }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  bool free() const { return free_; }

 private:
  std::atomic<int>& taken_;
  bool free_;
};

void send_picture(HttpResponse& response, const Bytes& picture, const char* type) {
  response.set_header("Cache-Control", "private, max-age=86400, immutable");
  response.set_content({reinterpret_cast<const char*>(picture.data()), picture.size()}, type);
}

bool is_reading(const HttpRequest& request) {
  return request.method == "GET" || request.method == "HEAD";
}

std::vector<std::string_view> segments(std::string_view path) {
  std::vector<std::string_view> out;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const auto end = std::min(path.find('/'), path.size());
    out.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return out;
}

/// True when the path is one of the pattern's; `captures` are its parts in braces.
bool matches(std::string_view pattern, std::string_view path, Api::Captures& captures) {
  const auto wanted = segments(pattern), given = segments(path);
  if (wanted.size() != given.size()) return false;
  captures.clear();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::string segment = percent_decoded(given[i], false, "the address");
    if (wanted[i].starts_with('{') && !segment.empty()) {
      captures.push_back(segment);
    } else if (wanted[i] != segment) {
      return false;
    }
  }
  return true;
}

/// Nobody shall think that a parameter counted which did not.
void check_query(const HttpRequest& request, const Api::Route& route) {
  if (!route.path.starts_with("/api")) return;  // probes of other systems add what they like
  for (auto one = request.query.begin(); one != request.query.end(); ++one) {
    const std::string name = name_line(one->first.substr(0, kLongestId));
    if (std::find(route.query.begin(), route.query.end(), one->first) == route.query.end()) {
      throw Refusal{400, route.query.empty()
                             ? fmt::format("there is no parameter {} here, nor any other", name)
                             : fmt::format("there is no parameter {} here; known are {}", name,
                                           fmt::join(route.query, ", "))};
    }
    if (std::any_of(request.query.begin(), one, [&](const auto& o) { return o.first == one->first; }))
      throw Refusal{400, fmt::format("the parameter {} is there twice", name)};
  }
}

}  // namespace

std::string read_token(const std::filesystem::path& file) {
  std::string token = read_text(file, 4096);
  token.resize(std::min(token.find_first_of("\r\n"), token.size()));
  if (token.size() < 16)
    fail(ErrorCode::kConfig, "{}: the token has {} characters, give at least 16", name_line(file),
         token.size());
  return token;
}

Api::Api(Station& station, const ApiOptions& options) : station_(station), options_(options) {
  add_readings();
  add_pictures();
  add_changes();
}

void Api::handle(HttpRequest& request, HttpResponse& response) {
  check_access(request);
  if (!is_reading(request) && request.method != "POST") {
    response.set_header("Allow", "GET, HEAD, POST");
    throw Refusal{405, "only GET, HEAD and POST are answered"};
  }
  if (!is_reading(request)) check_change(request, response);
  try {
    if (is_reading(request)) {
      for (const Page& page : pages()) {
        if (request.path != page.path) continue;
        response.set_header("Cache-Control", "no-cache");
        response.set_content(std::string(page.content), page.type);
        return;
      }
    }
    const std::string_view method = is_reading(request) ? "GET" : "POST";
    Captures captures;
    const Route* other = nullptr;
    for (const Route& route : routes_) {
      if (!matches(route.path, request.path, captures)) continue;
      if (route.method == method) {
        check_query(request, route);
        route.handler(request, response, captures);
        return;
      }
      other = &route;
    }
    if (other != nullptr) {
      response.set_header("Allow", other->method == "GET" ? "GET, HEAD" : "POST");
      throw Refusal{405, fmt::format("this address is for {}", other->method)};
    }
    throw Refusal{404, "there is nothing at this address; /api describes what there is"};
  } catch (const Error& e) {
    throw Refusal{status_of(e), e.what()};
  }
}

void Api::check_access(const HttpRequest& request) const {
  if (request.host && !options_.hosts.answers(*request.host, request.local_address)) {
    throw Refusal{403, fmt::format("this station does not answer to the host name {}; start it with --host "
                                   "{} when it should",
                                   request.host->host, request.host->host)};
  }
  if (request.has_header("content-encoding"))
    throw Refusal{415, "encoded bodies are not accepted; send the bytes as they are"};
}

void Api::check_change(const HttpRequest& request, HttpResponse& response) const {
  // A page from elsewhere may post here without being able to read the answer: the browser gives it away.
  const std::string site = ascii_lower(request.header("sec-fetch-site"));
  const bool foreign_site = !site.empty() && site != "same-origin" && site != "none";
  const bool foreign_origin =
      request.has_header("origin") &&
      (!request.host || !same_origin(request.header("origin"), *request.host, request.secure));
  if (foreign_site || foreign_origin) {
    throw Refusal{403,
                  "requests from other origins are not accepted; a proxy must pass Host on as it came, and "
                  "--host name it"};
  }
  if (options_.token.empty()) return;
  const std::string given = request.header("authorization"), wanted = "Bearer " + options_.token;
  if (given.size() != wanted.size() || CRYPTO_memcmp(given.data(), wanted.data(), wanted.size()) != 0) {
    response.set_header("WWW-Authenticate", "Bearer");
    throw Refusal{401, "this needs the header Authorization: Bearer TOKEN"};
  }
}

void Api::add_readings() {
  const auto get = [this](std::string_view path, std::vector<std::string_view> query, Handler handler) {
    routes_.push_back({"GET", path, std::move(query), std::move(handler)});
  };
  get("/health", {}, [](auto&, auto& r, auto&) { answer(r, {{"status", "alive"}}); });
  get("/ready", {}, [this](auto&, auto& r, auto&) {
    const auto reasons = station_.not_ready();
    answer(r, {{"ready", reasons.empty()}, {"reasons", reasons}}, reasons.empty() ? 200 : 503);
  });
  get("/metrics", {},
      [this](auto&, auto& r, auto&) { r.set_content(station_.prometheus(), "text/plain; version=0.0.4"); });
  get("/api/status", {}, [this](auto&, auto& r, auto&) { answer(r, station_.status()); });
  get("/api/statistics", {}, [this](auto&, auto& r, auto&) { answer(r, station_.statistics()); });
  get("/api/models", {}, [this](auto&, auto& r, auto&) { answer(r, {{"models", station_.models()}}); });
  get("/api/calibration", {}, [this](auto&, auto& r, auto&) { answer(r, station_.calibration()); });
  get("/api/events", {}, [this](auto&, auto& r, auto&) { listen(r); });
  get("/api/inspections",
      {"before", "limit", "since", "until", "verdict", "part_id", "source", "model", "reviewed"},
      [this](auto& q, auto& r, auto&) { list(q, r); });
  get("/api/inspections/{id}", {}, [this](auto&, auto& r, auto& captures) {
    const auto entry = station_.journal().find(inspection_id(captures[0]));
    if (!entry) throw Refusal{404, "there is no such inspection"};
    answer(r, inspection_json(*entry));
  });
  get("/api/parts", {"part_id"}, [this](auto& q, auto& r, auto&) {
    const std::string id = query_text(q, "part_id");
    if (id.empty()) throw Refusal{400, "part_id: say which part, as /api/parts?part_id=..."};
    const PartVerdict part = station_.part(id);
    if (part.views.empty()) throw Refusal{404, "no inspection of this part"};
    answer(r, part_json(part));
  });
}

void Api::add_pictures() {
  const auto get = [this](std::string_view path, const char* type,
                          Bytes (Station::*picture)(std::int64_t) const) {
    routes_.push_back({"GET", path, {}, [this, type, picture](auto&, auto& r, auto& captures) {
                         send_picture(r, (station_.*picture)(inspection_id(captures[0])), type);
                       }});
  };
  get("/api/inspections/{id}/image", "image/jpeg", &Station::photograph);
  get("/api/inspections/{id}/map", "image/png", &Station::map);
  get("/api/inspections/{id}/thumbnail", "image/jpeg", &Station::thumbnail);
}

void Api::add_changes() {
  const auto post = [this](std::string_view path, std::vector<std::string_view> query, Handler handler) {
    routes_.push_back({"POST", path, std::move(query), std::move(handler)});
  };
  post("/api/inspections", {"part_id", "view"}, [this](auto& q, auto& r, auto&) { inspect(q, r); });
  post("/api/inspections/{id}/reviews", {},
       [this](auto& q, auto& r, auto& captures) { review(q, r, captures[0]); });
  post("/api/triggers", {}, [this](auto& q, auto& r, auto&) { trigger(q, r); });
  const auto on_model = [this](void (Station::*change)(const std::string&)) {
    return [this, change](HttpRequest& q, HttpResponse& r, const Captures& captures) {
      read_fields(q, {});
      (station_.*change)(captures[0]);
      answer(r, {{"models", station_.models()}});
    };
  };
  post("/api/models/{name}/activate", {}, on_model(&Station::activate_model));
  post("/api/models/{name}/load", {}, on_model(&Station::load_model));
  post("/api/models/rollback", {}, [this](auto& q, auto& r, auto&) {
    read_fields(q, {});
    station_.roll_back_model();
    answer(r, {{"models", station_.models()}});
  });
}

void Api::inspect(HttpRequest& request, HttpResponse& response) {
  const Slot slot(uploads_, options_.uploads);
  if (!slot.free()) throw Refusal{503, "too many images at once; try again", 1};
  Trigger trigger;
  trigger.idempotency_key = short_text("Idempotency-Key", request.header("idempotency-key"));
  Upload upload = read_upload(request);
  trigger.source = "http";
  trigger.name = "the image";
  trigger.part_id = upload.part_id;
  trigger.view = upload.view;
  trigger.file = std::move(upload.image);
  const auto ticket = station_.line().submit(std::move(trigger));
  if (!ticket) throw Refusal{503, "the line is full; try again", 1};
  const Outcome outcome = ticket->wait();
  json out = outcome_json(outcome);
  if (!upload.part_id.empty() && outcome.recorded) out["part"] = part_summary(station_.part(upload.part_id));
  answer(response, out, outcome.recorded ? 200 : 503);
}

void Api::review(HttpRequest& request, HttpResponse& response, const std::string& id) {
  const std::int64_t inspection = inspection_id(id);
  auto fields = read_fields(request, {"verdict", "reason", "by"});
  if (!fields.contains("verdict")) throw Refusal{400, "verdict: give OK or NOK"};
  const ReviewedInspection entry =
      station_.review(inspection, parse_enum<Verdict>(fields["verdict"], "verdict"),
                      short_text("reason", fields["reason"], kLongestReason), short_text("by", fields["by"]));
  answer(response, inspection_json(entry));
}

void Api::trigger(HttpRequest& request, HttpResponse& response) {
  auto fields = read_fields(request, {"part_id"});
  const std::string part = short_text("part_id", fields["part_id"]);
  json inspections = json::array();
  for (const Outcome& outcome : station_.trigger_cameras(part)) inspections.push_back(outcome_json(outcome));
  json whole = {{"inspections", inspections}};
  if (!part.empty()) whole["part"] = part_json(station_.part(part));
  answer(response, whole);
}

void Api::list(const HttpRequest& request, HttpResponse& response) const {
  for (const auto& [name, value] : request.query) {
    if (value.empty()) throw Refusal{400, fmt::format("{}: is empty; leave it out to list all", name)};
  }
  const auto text = [&](std::string_view name) { return query_text(request, name); };
  InspectionFilter filter;
  if (const std::string t = text("before"); !t.empty()) filter.before_id = whole_number("before", t);
  if (const std::string t = text("since"); !t.empty()) filter.since_us = time_parameter("since", t);
  if (const std::string t = text("until"); !t.empty()) filter.until_us = time_parameter("until", t);
  if (const std::string t = text("verdict"); !t.empty()) filter.verdict = parse_enum<Verdict>(t, "verdict");
  if (const std::string t = text("limit"); !t.empty())
    filter.limit = static_cast<int>(std::clamp<std::int64_t>(whole_number("limit", t), 1, kLongestPage));
  if (const std::string t = text("reviewed"); !t.empty()) filter.reviewed_only = truth("reviewed", t);
  filter.part_id = text("part_id");
  filter.source = text("source");
  filter.model = text("model");
  json entries = json::array();
  const InspectionPage page = station_.journal().page(filter);
  for (const ReviewedInspection& entry : page.inspections) entries.push_back(inspection_json(entry));
  json out = {{"inspections", entries}, {"next_before", nullptr}};
  if (page.next) out["next_before"] = *page.next;
  answer(response, out);
}

void Api::listen(HttpResponse& response) {
  const auto reader = station_.events().subscribe(static_cast<std::size_t>(options_.event_readers));
  if (!reader) throw Refusal{503, "too many pages are listening; close one", 5};
  std::string first = "retry: 1000\nevent: status\ndata: " + json_line(station_.status()) + "\n\n";
  response.set_header("Cache-Control", "no-store");
  response.set_header("Content-Type", "text/event-stream");
  response.stream = [reader, first = std::move(first), begun = false]() mutable {
    if (begun) return reader->next(kHeartbeat);
    begun = true;
    return std::optional(first);
  };
}

}  // namespace glint
