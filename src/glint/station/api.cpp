#include "glint/station/api.h"

#include <httplib.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <charconv>

#include "glint/base/clock.h"
#include "glint/base/error.h"
#include "glint/station/http_server.h"
#include "glint/station/pages.h"
#include "glint/station/station.h"

namespace glint {
namespace {

using httplib::ContentReader;
using httplib::Request;
using httplib::Response;
using nlohmann::json;

constexpr std::size_t kSmallBody = 64 * 1024;
constexpr std::size_t kLongestId = 200, kLongestReason = 1000;
constexpr int kLongestPage = 500;
constexpr std::chrono::seconds kHeartbeat{2};

/// An answer other than 200, thrown by handlers.
struct Refusal {
  int status;
  std::string text;
  int retry_after_s = 0;
};

void answer(Response& response, const json& body, int status = 200) {
  response.status = status;
  response.set_header("Cache-Control", "no-store");
  response.set_content(json_line(body) + "\n", "application/json");
}

void answer(Response& response, const Refusal& refusal) {
  if (refusal.retry_after_s > 0) response.set_header("Retry-After", std::to_string(refusal.retry_after_s));
  answer(response, {{"error", refusal.text}}, refusal.status);
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

/// Runs a handler; what it throws becomes an answer.
template <class Handler>
void guarded(Response& response, const Handler& handler) {
  try {
    handler();
  } catch (const Refusal& refusal) {
    answer(response, refusal);
  } catch (const Error& e) {
    answer(response, Refusal{status_of(e), e.what()});
  } catch (const json::exception& e) {
    answer(response, Refusal{400, std::string("the body's JSON: ") + e.what()});
  } catch (const std::exception& e) {
    answer(response, Refusal{500, e.what()});
  }
}

/// A short text from outside: no control characters.
std::string short_text(const char* field, const std::string& text, std::size_t longest = kLongestId) {
  if (text.size() > longest)
    throw Refusal{400,
                  fmt::format("{}: {} characters, at most {} are accepted", field, text.size(), longest)};
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    throw Refusal{400, fmt::format("{}: control characters are not accepted", field)};
  return text;
}

std::int64_t whole_number(const char* field, const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    throw Refusal{400, fmt::format("{} = {}: give a whole number", field, text.substr(0, 40))};
  return value;
}

std::int64_t time_parameter(const char* field, const std::string& text) {
  const auto time = parse_iso_time(text);
  if (!time)
    throw Refusal{400,
                  fmt::format("{} = {}: give a time as 2026-11-24T21:00:00Z", field, text.substr(0, 40))};
  return *time;
}

std::int64_t id_of(const Request& request) {
  return whole_number("id", request.matches[1].str());
}

json outcome_json(const Outcome& outcome) {
  json out = inspection_json({outcome.record, std::nullopt});
  out["recorded"] = outcome.recorded;
  out["repeated"] = outcome.repeated;
  return out;
}

/// The reading side of a multipart or raw upload.
struct Upload {
  Bytes image;
  std::map<std::string, std::string> fields;
};

void append(Bytes& to, const char* data, std::size_t n) {
  const auto* p = reinterpret_cast<const std::byte*>(data);
  to.insert(to.end(), p, p + n);
}

Upload read_upload(const Request& request, Response& response, const ContentReader& reader,
                   std::int64_t most) {
  Upload out;
  const auto whole = [&](std::size_t n) { return std::ssize(out.image) + std::int64_t(n) <= most; };
  bool complete = false;
  if (request.is_multipart_form_data()) {
    std::string field;
    std::size_t parts = 0;
    complete = reader(
        [&](const httplib::MultipartFormData& part) {
          field = part.name;
          return ++parts <= 16;
        },
        [&](const char* data, std::size_t n) {
          if (field == "image") {
            if (!whole(n)) return false;
            append(out.image, data, n);
            return true;
          }
          std::string& text = out.fields[field];
          text.append(data, n);
          return text.size() <= kSmallBody;
        });
  } else {
    complete = reader([&](const char* data, std::size_t n) {
      if (!whole(n)) return false;
      append(out.image, data, n);
      return true;
    });
  }
  if (!complete) {
    close_after(response);
    if (response.status == 413 || !whole(1)) throw Refusal{413, "the image is larger than --max-body allows"};
    throw Refusal{400, "the body ended early, came too slowly, or is no valid multipart form"};
  }
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

bool names_loopback(std::string host) {
  if (const auto port = host.rfind(':');
      port != std::string::npos && host.find(']', port) == std::string::npos)
    host.resize(port);
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

void send_picture(Response& response, const Bytes& picture, const char* type) {
  response.set_header("Cache-Control", "private, max-age=86400, immutable");
  response.set_content(reinterpret_cast<const char*>(picture.data()), picture.size(), type);
}

/// Without a length the library would read until the other side closes.
bool announces_body(const Request& request) {
  return request.has_header("Content-Length") || request.has_header("Transfer-Encoding");
}

bool is_reading(const std::string& method) {
  return method == "GET" || method == "HEAD";
}

}  // namespace

std::string read_token(const std::filesystem::path& file) {
  std::string token = read_text(file, 4096);
  token.resize(std::min(token.find_first_of("\r\n"), token.size()));
  if (token.size() < 16)
    fail(ErrorCode::kConfig, "{}: the token has {} characters, give at least 16", file.string(),
         token.size());
  return token;
}

Api::Api(Station& station, const ApiOptions& options, httplib::Server& server)
    : station_(station), options_(options) {
  server.set_default_headers({{"X-Content-Type-Options", "nosniff"},
                              {"X-Frame-Options", "DENY"},
                              {"Referrer-Policy", "no-referrer"},
                              {"Cross-Origin-Resource-Policy", "same-origin"},
                              {"Content-Security-Policy",
                               "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri "
                               "'none'; form-action 'self'; object-src 'none'"}});
  server.set_pre_routing_handler([this](const Request& request, Response& response) {
    return admit(request, response) ? httplib::Server::HandlerResponse::Unhandled
                                    : httplib::Server::HandlerResponse::Handled;
  });
  server.set_error_handler([](const Request&, Response& response) {
    if (!response.body.empty()) return;
    const char* text = response.status == 404
                           ? "there is nothing at this address; /api describes what there is"
                       : response.status == 413 ? "the body is larger than --max-body allows"
                                                : "the request was not understood";
    const int status = response.status;
    answer(response, {{"error", text}}, status);
  });
  server.set_exception_handler([](const Request&, Response& response, std::exception_ptr) {
    answer(response, Refusal{500, "an error inside the server; its log says more"});
  });
  add_pages(server);
  add_readings(server);
  add_changes(server);
}

bool Api::admit(const Request& request, Response& response) const {
  const bool reading = is_reading(request.method);
  const auto refuse = [&](Refusal refusal) {
    if (!reading) close_after(response);
    answer(response, refusal);
    return false;
  };
  if (!reading && request.method != "POST") return refuse({405, "only GET, HEAD and POST are answered"});
  const std::string host = request.get_header_value("Host");
  if (options_.loopback_only && !host.empty() && !names_loopback(host))
    return refuse({403, "this station listens on loopback only and does not answer to other host names"});
  if (request.has_header("Content-Encoding")) return refuse({415, "encoded bodies are not accepted"});
  if (reading) return true;
  // A page from elsewhere may post here without being able to read the answer: its origin gives it away.
  if (const std::string origin = request.get_header_value("Origin"); !origin.empty()) {
    const auto scheme = origin.find("://");
    if (scheme == std::string::npos || origin.substr(scheme + 3) != host)
      return refuse({403, "requests from other origins are not accepted"});
  }
  if (!options_.token.empty()) {
    const std::string given = request.get_header_value("Authorization"), wanted = "Bearer " + options_.token;
    if (given.size() != wanted.size() || CRYPTO_memcmp(given.data(), wanted.data(), wanted.size()) != 0) {
      response.set_header("WWW-Authenticate", "Bearer");
      return refuse({401, "this needs the header Authorization: Bearer TOKEN"});
    }
  }
  // What matches no route would be read whole into memory before it is refused.
  if (!request.path.starts_with("/api/")) return refuse({404, "there is nothing to post at this address"});
  std::int64_t length = 0;
  const std::string text = request.get_header_value("Content-Length");
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (!text.empty() && (error != std::errc() || end != text.data() + text.size() || length < 0))
    return refuse({400, "Content-Length is not a number"});
  if (length > options_.max_body) return refuse({413, "the body is larger than --max-body allows"});
  return true;
}

void Api::add_pages(httplib::Server& server) {
  for (const Page& page : pages()) {
    server.Get(page.path, [page](const Request&, Response& r) {
      r.set_header("Cache-Control", "no-cache");
      r.set_content(page.content.data(), page.content.size(), page.type);
    });
  }
}

void Api::add_readings(httplib::Server& server) {
  const auto get = [&server](const char* pattern, auto handler) {
    server.Get(pattern, [handler](const Request& request, Response& response) {
      guarded(response, [&] { handler(request, response); });
    });
  };
  get("/health", [](const Request&, Response& r) { answer(r, {{"status", "alive"}}); });
  get("/ready", [this](const Request&, Response& r) {
    const auto reasons = station_.not_ready();
    answer(r, {{"ready", reasons.empty()}, {"reasons", reasons}}, reasons.empty() ? 200 : 503);
  });
  get("/metrics", [this](const Request&, Response& r) {
    r.set_content(station_.prometheus(), "text/plain; version=0.0.4");
  });
  get("/api/status", [this](const Request&, Response& r) { answer(r, station_.status()); });
  get("/api/statistics", [this](const Request&, Response& r) { answer(r, station_.statistics()); });
  get("/api/models", [this](const Request&, Response& r) { answer(r, {{"models", station_.models()}}); });
  get("/api/calibration", [this](const Request&, Response& r) { answer(r, station_.calibration()); });
  get("/api/events", [this](const Request&, Response& r) { listen(r); });
  get("/api/inspections", [this](const Request& q, Response& r) { list(q, r); });
  get("/api/inspections/([0-9]{1,18})", [this](const Request& q, Response& r) {
    const auto entry = station_.journal().find(id_of(q));
    if (!entry) throw Refusal{404, "there is no such inspection"};
    answer(r, inspection_json(*entry));
  });
  get("/api/inspections/([0-9]{1,18})/image", [this](const Request& q, Response& r) {
    send_picture(r, station_.photograph(id_of(q)), "image/jpeg");
  });
  get("/api/inspections/([0-9]{1,18})/map",
      [this](const Request& q, Response& r) { send_picture(r, station_.map(id_of(q)), "image/png"); });
  get("/api/inspections/([0-9]{1,18})/thumbnail",
      [this](const Request& q, Response& r) { send_picture(r, station_.thumbnail(id_of(q)), "image/jpeg"); });
  get("/api/parts", [this](const Request& q, Response& r) {
    const PartVerdict part = station_.part(short_text("part_id", q.get_param_value("part_id")));
    if (part.views.empty()) throw Refusal{404, "no inspection of this part"};
    answer(r, part_json(part));
  });
}

void Api::add_changes(httplib::Server& server) {
  const auto post = [&server](const char* pattern, auto handler) {
    server.Post(pattern, [handler](const Request& request, Response& response, const ContentReader& reader) {
      guarded(response, [&] { handler(request, response, reader); });
    });
  };
  post("/api/inspections", [this](const Request& q, Response& r, const Reader& b) { inspect(q, r, b); });
  post("/api/inspections/([0-9]{1,18})/reviews",
       [this](const Request& q, Response& r, const Reader& b) { review(q, r, b); });
  post("/api/triggers", [this](const Request& q, Response& r, const Reader& b) {
    const json body = json::parse(read_body(q, r, b));
    const std::string part = short_text("part_id", body.value("part_id", ""));
    json out = json::array();
    for (const Outcome& outcome : station_.trigger_cameras(part)) out.push_back(outcome_json(outcome));
    json whole = {{"inspections", out}};
    if (!part.empty()) whole["part"] = part_json(station_.part(part));
    answer(r, whole);
  });
  const auto on_model = [this](void (Station::*change)(const std::string&)) {
    return [this, change](const Request& q, Response& r, const Reader& b) {
      read_body(q, r, b);
      (station_.*change)(q.matches[1].str());
      answer(r, {{"models", station_.models()}});
    };
  };
  post("/api/models/([^/]{1,200})/activate", on_model(&Station::activate_model));
  post("/api/models/([^/]{1,200})/load", on_model(&Station::load_model));
  post("/api/models/rollback", [this](const Request& q, Response& r, const Reader& b) {
    read_body(q, r, b);
    station_.roll_back_model();
    answer(r, {{"models", station_.models()}});
  });
  // Anything else below /api: refused without keeping its body.
  server.Post("/api/.{0,400}", [](const Request&, Response& response, const ContentReader&) {
    close_after(response);
    answer(response, Refusal{404, "there is nothing to post at this address"});
  });
}

std::string Api::read_body(const Request& request, Response& response, const Reader& reader) const {
  if (!announces_body(request)) return "{}";
  std::string body;
  const bool complete = reader([&](const char* data, std::size_t n) {
    if (body.size() + n > kSmallBody) return false;
    body.append(data, n);
    return true;
  });
  if (!complete) {
    close_after(response);
    throw Refusal{400, "the body ended early, came too slowly or is too large"};
  }
  return body.empty() ? "{}" : body;
}

void Api::inspect(const Request& request, Response& response, const Reader& reader) {
  const auto overloaded = [&](const char* text) {
    close_after(response);
    throw Refusal{503, text, 1};
  };
  if (!announces_body(request)) throw Refusal{411, "send the image as the body, with its Content-Length"};
  const Slot slot(uploads_, options_.uploads);
  if (!slot.free()) overloaded("too many images at once; try again");
  Upload upload = read_upload(request, response, reader, options_.max_body);
  if (upload.image.empty())
    throw Refusal{400, "no image: send its bytes as the body, or a multipart form with a part named image"};
  const auto field = [&](const char* name) {
    const auto found = upload.fields.find(name);
    return short_text(name, found != upload.fields.end() ? found->second : request.get_param_value(name));
  };
  Trigger trigger;
  trigger.source = "http";
  trigger.name = "the image";
  trigger.part_id = field("part_id");
  trigger.view = field("view");
  trigger.idempotency_key = short_text("Idempotency-Key", request.get_header_value("Idempotency-Key"));
  trigger.file = std::move(upload.image);
  const std::string part = trigger.part_id;
  const auto ticket = station_.line().submit(std::move(trigger));
  if (!ticket) throw Refusal{503, "the line is full; try again", 1};
  const Outcome outcome = ticket->wait();
  json out = outcome_json(outcome);
  if (!part.empty() && outcome.recorded) out["part"] = part_summary(station_.part(part));
  answer(response, out, outcome.recorded ? 200 : 503);
}

void Api::review(const Request& request, Response& response, const Reader& reader) {
  const json body = json::parse(read_body(request, response, reader));
  const auto verdict = parse_enum<Verdict>(body.at("verdict").get<std::string>(), "verdict");
  const ReviewedInspection entry =
      station_.review(id_of(request), verdict, short_text("reason", body.value("reason", ""), kLongestReason),
                      short_text("by", body.value("by", "")));
  answer(response, inspection_json(entry));
}

void Api::list(const Request& request, Response& response) const {
  const auto text = [&](const char* name) { return short_text(name, request.get_param_value(name)); };
  InspectionFilter filter;
  if (const std::string t = text("before"); !t.empty()) filter.before_id = whole_number("before", t);
  if (const std::string t = text("since"); !t.empty()) filter.since_us = time_parameter("since", t);
  if (const std::string t = text("until"); !t.empty()) filter.until_us = time_parameter("until", t);
  if (const std::string t = text("verdict"); !t.empty()) filter.verdict = parse_enum<Verdict>(t, "verdict");
  if (const std::string t = text("limit"); !t.empty())
    filter.limit = static_cast<int>(std::clamp<std::int64_t>(whole_number("limit", t), 1, kLongestPage));
  filter.part_id = text("part_id");
  filter.source = text("source");
  filter.model = text("model");
  filter.reviewed_only = text("reviewed") == "true";
  json entries = json::array();
  const InspectionPage page = station_.journal().page(filter);
  for (const ReviewedInspection& entry : page.inspections) entries.push_back(inspection_json(entry));
  json out = {{"inspections", entries}, {"next_before", nullptr}};
  if (page.next) out["next_before"] = *page.next;
  answer(response, out);
}

void Api::listen(Response& response) {
  const auto reader = station_.events().subscribe(static_cast<std::size_t>(options_.event_readers));
  if (!reader) throw Refusal{503, "too many pages are listening; close one", 5};
  const std::string first = "retry: 1000\nevent: status\ndata: " + json_line(station_.status()) + "\n\n";
  response.set_chunked_content_provider(
      "text/event-stream", [reader, first](std::size_t offset, httplib::DataSink& sink) {
        const auto text = offset == 0 ? std::optional(first) : reader->next(kHeartbeat);
        if (!text) {
          sink.done();
          return true;
        }
        return sink.write(text->data(), text->size());
      });
}

}  // namespace glint
