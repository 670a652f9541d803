// A connection's bytes under a deadline, whether they travel openly or by TLS (tls_channel.h): everything
// above reads and writes through a Channel, so that the same limits hold for both.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace glint {

class Channel {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Channel() = default;
  virtual ~Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Up to to.size() bytes as soon as there are some. 0: the other side has closed or the connection is
  /// broken. Nothing: the time is up.
  virtual std::optional<std::size_t> read(std::span<char> to, Time deadline) = 0;
  /// All of it, or false: broken, or the time is up.
  virtual bool write(std::string_view bytes, Time deadline) = 0;
  /// True when the other side is known to have gone, without waiting.
  virtual bool abandoned() = 0;
  /// Says that nothing more will be written, then reads and drops what still comes, until `deadline` or
  /// `most` bytes: closing with unread input would take back an answer that is still under way.
  virtual void finish(Time deadline, std::size_t most) = 0;
  /// The address of this end, without port.
  virtual std::string local_address() const = 0;
  virtual bool secure() const = 0;
};

/// A connected socket; owns it.
class Socket {
 public:
  explicit Socket(int handle) : handle_(handle) {}  ///< made non-blocking
  ~Socket();
  Socket(Socket&& other) noexcept : handle_(other.handle_) { other.handle_ = -1; }
  Socket& operator=(Socket&&) = delete;

  int handle() const { return handle_; }
  /// Waits for POLLIN or POLLOUT; false when the time is up.
  bool wait(short events, Channel::Time deadline) const;
  std::string local_address() const;
  /// Ends the writing side and drops what comes.
  void finish(Channel::Time deadline, std::size_t most) const;

 private:
  int handle_;
};

class PlainChannel : public Channel {
 public:
  explicit PlainChannel(Socket socket) : socket_(std::move(socket)) {}

  std::optional<std::size_t> read(std::span<char> to, Time deadline) override;
  bool write(std::string_view bytes, Time deadline) override;
  bool abandoned() override;
  void finish(Time deadline, std::size_t most) override { socket_.finish(deadline, most); }
  std::string local_address() const override { return socket_.local_address(); }
  bool secure() const override { return false; }

 private:
  Socket socket_;
};

}  // namespace glint
