// The HTTP server that a factory network meets, with or without TLS. Connections are bounded, a request must
// arrive within a time however slowly its sender drips, and what is too much is answered 503 at once. What
// the requests mean is api.h's.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "glint/station/http_connection.h"
#include "glint/station/tls_channel.h"

namespace glint {

struct HttpOptions {
  std::string host = "127.0.0.1";  ///< to listen on
  int port = 8750;                 ///< 0 = any free one
  std::vector<std::string> names;  ///< further hosts that requests may name; see HostRule
  std::string certificate, key;    ///< PEM files; both or neither
  int connections = 48;            ///< served at the same time; one more is answered 503
  ConnectionLimits limits;

  /// Error(kConfig) naming field, value and rule.
  void validate() const;
  bool is_loopback() const;
};

/// "HOST:PORT", "[::1]:8750", ":8750" or "8750" into `host` and `port`.
void parse_listen(const std::string& text, HttpOptions& options);

class HttpServer {
 public:
  /// Error(kConfig) for options that cannot be served.
  explicit HttpServer(const HttpOptions& options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Connections may be made from now on. Error(kIo) when the address cannot be used. Returns the port.
  int bind();
  /// Serves until stop(); bind() first. `handler` is called in many threads.
  void run(const HttpHandler& handler);
  void stop();  ///< from any thread, also before run()

 private:
  void serve(int handle, const HttpHandler& handler);
  void turn_away(int handle) const;
  std::unique_ptr<Channel> open(int handle, std::chrono::milliseconds time) const;

  HttpOptions options_;
  std::unique_ptr<TlsContext> tls_;
  int listening_ = -1;
  std::atomic<bool> stopping_{false};
};

}  // namespace glint
