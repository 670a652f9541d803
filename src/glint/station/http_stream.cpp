#include "glint/station/http_stream.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace glint {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kWriteTime{10000};

bool ready(int socket, short events, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left < 0) return false;
    pollfd wait{socket, events, 0};
    const int got = ::poll(&wait, 1, static_cast<int>(std::min<std::int64_t>(left + 1, 1000)));
    if (got > 0) return true;
    if (got < 0 && errno != EINTR) return false;
  }
}

void address_of(int (*which)(int, sockaddr*, socklen_t*), int socket, std::string& ip, int& port) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  std::array<char, INET6_ADDRSTRLEN> text{};
  ip.clear();
  port = 0;
  if (which(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return;
  if (address.ss_family == AF_INET) {
    const auto* four = reinterpret_cast<const sockaddr_in*>(&address);
    inet_ntop(AF_INET, &four->sin_addr, text.data(), text.size());
    port = ntohs(four->sin_port);
  } else if (address.ss_family == AF_INET6) {
    const auto* six = reinterpret_cast<const sockaddr_in6*>(&address);
    inet_ntop(AF_INET6, &six->sin6_addr, text.data(), text.size());
    port = ntohs(six->sin6_port);
  }
  ip = text.data();
}

}  // namespace

bool SocketStream::wait_for_request(std::chrono::milliseconds time, const std::function<bool()>& give_up) {
  const auto until = Clock::now() + time;
  while (begin_ == end_) {
    if (give_up() || Clock::now() > until) return false;
    const auto slice = std::min(until, Clock::now() + std::chrono::milliseconds(100));
    if (!ready(socket_, POLLIN, slice)) continue;
    const ssize_t got = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
    if (got <= 0) return false;
    begin_ = 0;
    end_ = static_cast<std::size_t>(got);
  }
  return true;
}

void SocketStream::start_request(std::chrono::milliseconds time) {
  deadline_ = Clock::now() + time;
}

bool SocketStream::is_readable() const {
  return begin_ < end_ || ready(socket_, POLLIN, deadline_);
}

bool SocketStream::is_writable() const {
  char probe = 0;  // a reader that has left makes the socket readable with nothing in it
  if (::recv(socket_, &probe, 1, MSG_PEEK | MSG_DONTWAIT) == 0) return false;
  return ready(socket_, POLLOUT, Clock::now() + kWriteTime);
}

ssize_t SocketStream::read(char* to, std::size_t size) {
  if (begin_ == end_) {
    if (!ready(socket_, POLLIN, deadline_)) return -1;
    const ssize_t got = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
    if (got <= 0) return got;
    begin_ = 0;
    end_ = static_cast<std::size_t>(got);
  }
  const std::size_t taken = std::min(size, end_ - begin_);
  std::memcpy(to, buffer_.data() + begin_, taken);
  begin_ += taken;
  return static_cast<ssize_t>(taken);
}

ssize_t SocketStream::write(const char* from, std::size_t size) {
  std::size_t sent = 0;
  while (sent < size) {
    if (!ready(socket_, POLLOUT, Clock::now() + kWriteTime)) return -1;
    const ssize_t now = ::send(socket_, from + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (now < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (now <= 0) return -1;
    sent += static_cast<std::size_t>(now);
  }
  return static_cast<ssize_t>(sent);
}

void SocketStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  address_of(::getpeername, socket_, ip, port);
}

void SocketStream::get_local_ip_and_port(std::string& ip, int& port) const {
  address_of(::getsockname, socket_, ip, port);
}

}  // namespace glint
