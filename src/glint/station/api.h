// The HTTP interface of a station: routes, limits, access. docs/openapi.json describes it; the operator's
// page uses nothing else.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "glint/station/http_message.h"

namespace glint {

class Station;

struct ApiOptions {
  std::string token;       ///< needed by everything that changes state; empty = nothing is needed
  HostRule hosts;          ///< that requests may name
  int uploads = 24;        ///< bodies read at the same time; one more is answered 503
  int event_readers = 16;  ///< pages that listen
};

/// The first line of a token file. Error(kConfig) when it is shorter than 16 characters.
std::string read_token(const std::filesystem::path& file);

/// Thread-safe.
class Api {
 public:
  Api(Station& station, const ApiOptions& options);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  /// Answers a request. Throws Refusal.
  void handle(HttpRequest& request, HttpResponse& response);

  /// What stands for "{...}" in a route's path, decoded.
  using Captures = std::vector<std::string>;
  using Handler = std::function<void(HttpRequest&, HttpResponse&, const Captures&)>;
  struct Route {
    std::string_view method;  ///< GET (which HEAD uses too) or POST
    std::string_view path;    ///< "/api/inspections/{id}"
    std::vector<std::string_view> query;
    Handler handler;
  };
  /// All but the files of the page.
  std::span<const Route> routes() const { return routes_; }

 private:
  void check_access(const HttpRequest& request) const;
  void check_change(const HttpRequest& request, HttpResponse& response) const;
  void add_readings();
  void add_pictures();
  void add_changes();
  void inspect(HttpRequest& request, HttpResponse& response);
  void review(HttpRequest& request, HttpResponse& response, const std::string& id);
  void trigger(HttpRequest& request, HttpResponse& response);
  void list(const HttpRequest& request, HttpResponse& response) const;
  void listen(HttpResponse& response);

  Station& station_;
  ApiOptions options_;
  std::vector<Route> routes_;
  std::atomic<int> uploads_{0};
};

}  // namespace glint
