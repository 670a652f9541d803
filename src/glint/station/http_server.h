// The HTTP server that a factory network meets: cpp-httplib behind limits of our own. Connections are
// bounded, a request must arrive within a time however slowly its sender drips, and what is too much is
// answered 503 at once. Routes are added by api.h.
#pragma once

#include <chrono>
#include <memory>
#include <string>

namespace httplib {
class Server;
struct Response;
}  // namespace httplib

namespace glint {

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 8750;                                ///< 0 = any free one
  std::string certificate, key;                   ///< PEM files; both or neither
  int connections = 48;                           ///< served at the same time; one more is answered 503
  std::chrono::milliseconds request_time{15000};  ///< for a request to arrive
  std::int64_t max_body = std::int64_t{64} << 20;

  /// Error(kConfig) naming field, value and rule.
  void validate() const;
  bool is_loopback() const;
};

/// "HOST:PORT", "[::1]:8750", ":8750" or "8750" into `host` and `port`.
void parse_listen(const std::string& text, HttpOptions& options);

class HttpServer {
 public:
  explicit HttpServer(const HttpOptions& options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  httplib::Server& routes() { return *server_; }
  /// Error(kIo) when the address cannot be used. Returns the port.
  int bind();
  /// Serves until stop(); bind() first.
  void run();
  void stop();  ///< from any thread

 private:
  HttpOptions options_;
  std::unique_ptr<httplib::Server> server_;
};

/// Ends the connection after this response: what is left of the request will not be read. For handlers that
/// answer before they have read the body.
void close_after(httplib::Response& response);

}  // namespace glint
