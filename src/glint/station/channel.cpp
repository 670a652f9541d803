#include "glint/station/channel.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace glint {
namespace {

using Clock = std::chrono::steady_clock;

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

Socket::~Socket() {
  if (handle_ >= 0) ::close(handle_);
}

bool Socket::wait(short events, Channel::Time deadline) const {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left < 0) return false;
    pollfd wanted{handle_, events, 0};
    const int got = ::poll(&wanted, 1, static_cast<int>(std::min<std::int64_t>(left + 1, 1000)));
    if (got > 0) return true;
    if (got < 0 && errno != EINTR) return false;
  }
}

std::string Socket::local_address() const {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::getsockname(handle_, reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&address)->sin_addr, text.data(), text.size());
  } else if (address.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr, text.data(),
              text.size());
  }
  return text.data();
}

void Socket::finish(Channel::Time deadline, std::size_t most) const {
  ::shutdown(handle_, SHUT_WR);
  std::array<char, 16384> dropped;
  std::size_t sum = 0;
  while (sum < most && wait(POLLIN, deadline)) {
    const ssize_t got = ::recv(handle_, dropped.data(), dropped.size(), MSG_DONTWAIT);
    if (got < 0 && would_block()) continue;
    if (got <= 0) return;
    sum += static_cast<std::size_t>(got);
  }
}

std::optional<std::size_t> PlainChannel::read(std::span<char> to, Time deadline) {
  while (true) {
    const ssize_t got = ::recv(socket_.handle(), to.data(), to.size(), MSG_DONTWAIT);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (!would_block()) return 0;
    if (!socket_.wait(POLLIN, deadline)) return std::nullopt;
  }
}

bool PlainChannel::write(std::string_view bytes, Time deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (!would_block() || !socket_.wait(POLLOUT, deadline)) {
      return false;
    }
  }
  return true;
}

bool PlainChannel::abandoned() {
  char probe = 0;  // a reader that has left makes the socket readable with nothing in it
  const ssize_t got = ::recv(socket_.handle(), &probe, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && !would_block());
}

}  // namespace glint
