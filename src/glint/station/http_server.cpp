#include "glint/station/http_server.h"

#include <httplib.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <regex>
#include <thread>

#include "glint/base/error.h"
#include "glint/station/http_stream.h"

namespace glint {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kKeepAlive{5000};
constexpr int kRequestsPerConnection = 1000;

/// Set by close_after() in the thread that serves the connection.
thread_local bool close_wanted = false;
/// Set in the thread that only turns connections away.
thread_local bool turning_away = false;

/// A fixed number of threads for connections, and one that turns away what they have no room for.
class ConnectionPool : public httplib::TaskQueue {
 public:
  explicit ConnectionPool(int threads) : most_(static_cast<std::size_t>(threads)) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(jobs_); });
    threads_.emplace_back([this] {
      turning_away = true;
      serve(surplus_);
    });
  }

  void enqueue(std::function<void()> job) override {
    const std::lock_guard guard(mutex_);
    if (busy_ + jobs_.size() < most_) {
      jobs_.push_back(std::move(job));
    } else {
      surplus_.push_back(std::move(job));
    }
    changed_.notify_all();
  }

  void shutdown() override {
    {
      const std::lock_guard guard(mutex_);
      closed_ = true;
      changed_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void serve(std::deque<std::function<void()>>& queue) {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return closed_ || !queue.empty(); });
      if (queue.empty()) return;
      const std::function<void()> job = std::move(queue.front());
      queue.pop_front();
      const bool counted = &queue == &jobs_;
      busy_ += counted ? 1 : 0;
      lock.unlock();
      job();
      lock.lock();
      busy_ -= counted ? 1 : 0;
    }
  }

  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_, surplus_;
  std::size_t busy_ = 0;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

/// Says 503 and waits a moment for the other side to read it: closing with unread input would drop the
/// answer.
void turn_away(int socket) {
  static constexpr std::string_view kAnswer =
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Type: application/json\r\n"
      "Content-Length: 34\r\nConnection: close\r\n\r\n{\"error\":\"too many connections\"}\r\n";
  if (::send(socket, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL) < 0) return;
  ::shutdown(socket, SHUT_WR);
  std::array<char, 4096> rest;
  pollfd wait{socket, POLLIN, 0};
  for (int reads = 0; reads < 4 && ::poll(&wait, 1, 50) > 0; ++reads) {
    if (::recv(socket, rest.data(), rest.size(), 0) <= 0) break;
  }
}

/// The library lets 5 connections wait to be accepted; beyond that the kernel drops them and clients stall.
constexpr int kBacklog = 256;

template <class Library>
class WideServer : public Library {
 public:
  using Library::Library;
  void widen_backlog() const { ::listen(this->svr_sock_, kBacklog); }
};

/// httplib::Server whose connections run under a deadline.
class GuardedServer : public WideServer<httplib::Server> {
 public:
  explicit GuardedServer(std::chrono::milliseconds request_time) : request_time_(request_time) {}

 private:
  bool process_and_close_socket(socket_t socket) override {
    if (turning_away) {
      turn_away(socket);
    } else {
      SocketStream stream(socket);
      for (int left = kRequestsPerConnection; left > 0 && svr_sock_ != INVALID_SOCKET; --left) {
        if (!stream.wait_for_request(kKeepAlive, [this] { return svr_sock_ == INVALID_SOCKET; })) break;
        stream.start_request(request_time_);
        close_wanted = false;
        bool closed = false;
        if (!process_request(stream, left == 1, closed, nullptr) || closed || close_wanted) break;
      }
    }
    ::shutdown(socket, SHUT_RDWR);
    ::close(socket);
    return true;
  }

  std::chrono::milliseconds request_time_;
};

}  // namespace

void close_after(httplib::Response& response) {
  response.set_header("Connection", "close");
  close_wanted = true;
}

void HttpOptions::validate() const {
  if (port < 0 || port > 65535) fail(ErrorCode::kConfig, "--listen port = {}: must be 0 to 65535", port);
  if (connections < 4) fail(ErrorCode::kConfig, "--connections = {}: must be at least 4", connections);
  if (max_body < 1024) fail(ErrorCode::kConfig, "--max-body = {} bytes: must be at least 1024", max_body);
  if (certificate.empty() != key.empty())
    fail(ErrorCode::kConfig, "--tls-certificate and --tls-key go together; give both or neither");
}

bool HttpOptions::is_loopback() const {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

void parse_listen(const std::string& text, HttpOptions& options) {
  static const std::regex kForm(R"((?:(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]*)):)?([0-9]{1,5}))");
  std::smatch parts;
  if (!std::regex_match(text, parts, kForm))
    fail(ErrorCode::kConfig, "--listen {}: give HOST:PORT, e.g. 127.0.0.1:8750 or [::1]:8750", text);
  const std::string host = parts[1].matched ? parts[1].str() : parts[2].str();
  if (!host.empty()) options.host = host;
  options.port = std::stoi(parts[3]);
}

HttpServer::HttpServer(const HttpOptions& options) : options_(options) {
  options_.validate();
  if (options_.certificate.empty()) {
    server_ = std::make_unique<GuardedServer>(options_.request_time);
  } else {
    // TLS through the library's own connections: its time limit is per read, not per request.
    server_ =
        std::make_unique<WideServer<httplib::SSLServer>>(options_.certificate.c_str(), options_.key.c_str());
    if (!server_->is_valid()) {
      fail(ErrorCode::kConfig, "--tls-certificate {} and --tls-key {}: not a valid pair of PEM files",
           options_.certificate, options_.key);
    }
  }
  server_->set_keep_alive_max_count(kRequestsPerConnection);
  server_->new_task_queue = [this] { return new ConnectionPool(options_.connections); };
  server_->set_payload_max_length(static_cast<std::size_t>(options_.max_body));
  server_->set_tcp_nodelay(true);
  // The library's own choice, SO_REUSEPORT, would let two servers share a port and split the parts.
  server_->set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
}

HttpServer::~HttpServer() = default;

int HttpServer::bind() {
  const bool bound = options_.port == 0 ? (options_.port = server_->bind_to_any_port(options_.host)) > 0
                                        : server_->bind_to_port(options_.host, options_.port);
  if (!bound) {
    fail(ErrorCode::kIo, "cannot listen on {}:{}; is another program there? choose another with --listen",
         options_.host, options_.port);
  }
  if (auto* plain = dynamic_cast<GuardedServer*>(server_.get())) {
    plain->widen_backlog();
  } else {
    dynamic_cast<WideServer<httplib::SSLServer>&>(*server_).widen_backlog();
  }
  return options_.port;
}

void HttpServer::run() {
  server_->listen_after_bind();
}

void HttpServer::stop() {
  server_->stop();
}

}  // namespace glint
