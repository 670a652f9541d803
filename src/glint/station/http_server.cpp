#include "glint/station/http_server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <mutex>
#include <regex>
#include <thread>

#include "glint/base/error.h"
#include "glint/base/names.h"

namespace glint {
namespace {

using std::chrono::milliseconds;

constexpr int kBacklog = 256;
constexpr int kTurningAway = 4;            ///< threads that say 503
constexpr std::size_t kMostSurplus = 128;  ///< connections that wait to hear it; more are just closed
/// For a surplus connection to agree on TLS, and then to read its answer.
constexpr milliseconds kTurnAwayTime{2000}, kTurnAwayReadTime{200};
constexpr std::size_t kMostDroppedUnserved = 16 * 1024;

/// A fixed number of threads for connections, and some that turn away what they have no room for.
class ConnectionPool {
 public:
  using Job = std::function<void(int)>;

  ConnectionPool(int threads, const Job& serve, const Job& turn_away) : most_(std::size_t(threads)) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this, &serve] { run(jobs_, serve); });
    for (int i = 0; i < kTurningAway; ++i)
      threads_.emplace_back([this, &turn_away] { run(surplus_, turn_away); });
  }
  ~ConnectionPool() {
    {
      const std::lock_guard guard(mutex_);
      closed_ = true;
      changed_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
  }
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  void take(int handle) {
    const std::lock_guard guard(mutex_);
    if (busy_ + jobs_.size() < most_) {
      jobs_.push_back(handle);
    } else if (surplus_.size() < kMostSurplus) {
      surplus_.push_back(handle);
    } else {
      ::close(handle);
    }
    changed_.notify_all();
  }

 private:
  void run(std::deque<int>& queue, const Job& job) {
    // OpenSSL writes without MSG_NOSIGNAL.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    const bool counted = &queue == &jobs_;
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return closed_ || !queue.empty(); });
      if (queue.empty()) return;
      const int handle = queue.front();
      queue.pop_front();
      busy_ += counted ? 1 : 0;
      lock.unlock();
      try {
        job(handle);
      } catch (const std::exception&) {
        // Out of memory or threads: this connection is closed, the others go on.
      }
      lock.lock();
      busy_ -= counted ? 1 : 0;
    }
  }

  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<int> jobs_, surplus_;
  std::size_t busy_ = 0;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

/// A listening socket on one of the addresses that a host name has; -1 with errno.
int listen_on(const addrinfo& address) {
  const int handle = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (handle < 0) return -1;
  const int yes = 1, no = 0;
  ::setsockopt(handle, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (address.ai_family == AF_INET6) ::setsockopt(handle, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
  if (::bind(handle, address.ai_addr, address.ai_addrlen) == 0 && ::listen(handle, kBacklog) == 0)
    return handle;
  const int error = errno;
  ::close(handle);
  errno = error;
  return -1;
}

int port_of(int handle) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  ::getsockname(handle, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                                             : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

}  // namespace

void HttpOptions::validate() const {
  if (port < 0 || port > 65535) fail(ErrorCode::kConfig, "--listen port = {}: must be 0 to 65535", port);
  if (connections < 4) fail(ErrorCode::kConfig, "--connections = {}: must be at least 4", connections);
  if (limits.max_body < 1024)
    fail(ErrorCode::kConfig, "--max-body = {} bytes: must be at least 1024", limits.max_body);
  if (certificate.empty() != key.empty())
    fail(ErrorCode::kConfig, "--tls-certificate and --tls-key go together; give both or neither");
  static_cast<void>(HostRule(host, names));
}

bool HttpOptions::is_loopback() const {
  const auto parsed = parse_host(host);
  return parsed && glint::is_loopback(*parsed);
}

void parse_listen(const std::string& text, HttpOptions& options) {
  static const std::regex kForm(R"((?:(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]*)):)?([0-9]{1,5}))");
  std::smatch parts;
  if (!std::regex_match(text, parts, kForm))
    fail(ErrorCode::kConfig, "--listen {}: give HOST:PORT, e.g. 127.0.0.1:8750 or [::1]:8750",
         name_line(text));
  const std::string host = parts[1].matched ? parts[1].str() : parts[2].str();
  if (!host.empty()) options.host = host;
  options.port = std::stoi(parts[3]);
}

HttpServer::HttpServer(const HttpOptions& options) : options_(options) {
  options_.validate();
  if (!options_.certificate.empty()) tls_ = std::make_unique<TlsContext>(options_.certificate, options_.key);
}

HttpServer::~HttpServer() {
  if (listening_ >= 0) ::close(listening_);
}

int HttpServer::bind() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int code =
          ::getaddrinfo(options_.host.c_str(), std::to_string(options_.port).c_str(), &hints, &found);
      code != 0) {
    fail(ErrorCode::kIo, "cannot listen on {}:{}: {}; give an address of this machine with --listen",
         name_line(options_.host), options_.port, ::gai_strerror(code));
  }
  for (const addrinfo* one = found; one != nullptr && listening_ < 0; one = one->ai_next)
    listening_ = listen_on(*one);
  const int error = errno;
  ::freeaddrinfo(found);
  if (listening_ < 0) {
    fail(ErrorCode::kIo,
         "cannot listen on {}:{} ({}); is another program there? choose another with --listen",
         name_line(options_.host), options_.port, std::strerror(error));
  }
  options_.port = port_of(listening_);
  return options_.port;
}

void HttpServer::run(const HttpHandler& handler) {
  const ConnectionPool::Job serve_one = [&](int handle) { serve(handle, handler); };
  const ConnectionPool::Job turn_one_away = [&](int handle) { turn_away(handle); };
  ConnectionPool pool(options_.connections, serve_one, turn_one_away);
  while (!stopping_) {
    const int handle = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (handle >= 0) {
      pool.take(handle);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      std::this_thread::sleep_for(milliseconds(10));  // until others have closed
    }
  }
}

void HttpServer::stop() {
  stopping_ = true;
  if (listening_ >= 0) ::shutdown(listening_, SHUT_RDWR);  // wakes accept
}

std::unique_ptr<Channel> HttpServer::open(int handle, milliseconds time) const {
  const int yes = 1;
  ::setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  if (!tls_) return std::make_unique<PlainChannel>(Socket(handle));
  auto channel = std::make_unique<TlsChannel>(*tls_, Socket(handle));
  if (!channel->handshake(std::chrono::steady_clock::now() + time)) return nullptr;
  return channel;
}

void HttpServer::serve(int handle, const HttpHandler& handler) {
  const auto channel = open(handle, options_.limits.request_time);
  if (channel) serve_connection(*channel, options_.limits, handler, [this] { return stopping_.load(); });
}

/// Says 503 and waits a moment for the other side to read it.
void HttpServer::turn_away(int handle) const {
  const auto channel = open(handle, std::min(kTurnAwayTime, options_.limits.request_time));
  if (!channel) return;
  const auto now = std::chrono::steady_clock::now();
  if (channel->write(closing_answer({503, "too many connections", 1}), now + kTurnAwayTime))
    channel->finish(now + kTurnAwayReadTime, kMostDroppedUnserved);
}

}  // namespace glint
