// The HTTP interface of a station: routes, limits, access. docs/openapi.json describes it; the operator's
// page uses nothing else.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>

namespace httplib {
class Server;
struct Request;
struct Response;
class ContentReader;
}  // namespace httplib

namespace glint {

class Station;

struct ApiOptions {
  std::string token;  ///< needed by everything that changes state; empty = nothing is needed
  /// Requests must name a loopback host: a page from elsewhere cannot reach in by a host name of its own.
  bool loopback_only = true;
  std::int64_t max_body = std::int64_t{64} << 20;
  int uploads = 24;        ///< bodies read at the same time; one more is answered 503
  int event_readers = 16;  ///< pages that listen
};

/// The first line of a token file. Error(kConfig) when it is shorter than 16 characters.
std::string read_token(const std::filesystem::path& file);

/// Adds the routes. Lives as long as the server runs. Thread-safe.
class Api {
 public:
  Api(Station& station, const ApiOptions& options, httplib::Server& server);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

 private:
  using Request = httplib::Request;
  using Response = httplib::Response;
  using Reader = httplib::ContentReader;

  bool admit(const Request& request, Response& response) const;  ///< false: answered already
  void add_pages(httplib::Server& server);
  void add_readings(httplib::Server& server);
  void add_changes(httplib::Server& server);
  void inspect(const Request& request, Response& response, const Reader& reader);
  void review(const Request& request, Response& response, const Reader& reader);
  void list(const Request& request, Response& response) const;
  void listen(Response& response);
  std::string read_body(const Request& request, Response& response, const Reader& reader) const;

  Station& station_;
  ApiOptions options_;
  std::atomic<int> uploads_{0};
};

}  // namespace glint
