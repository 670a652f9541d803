// A socket as cpp-httplib's Stream, with one deadline for a whole request.
#pragma once

#include <httplib.h>

#include <array>
#include <chrono>
#include <functional>

namespace glint {

/// Owns nothing: the caller closes the socket.
class SocketStream : public httplib::Stream {
 public:
  explicit SocketStream(int socket) : socket_(socket) {}

  /// True when bytes have come; false after `time`, when the other side closed, or as soon as `give_up`.
  bool wait_for_request(std::chrono::milliseconds time, const std::function<bool()>& give_up);
  /// From now on reads together may take `time`.
  void start_request(std::chrono::milliseconds time);

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* to, std::size_t size) override;
  /// Fails when the other side takes nothing for ten seconds.
  ssize_t write(const char* from, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  int socket_;
  std::chrono::steady_clock::time_point deadline_{};
  std::array<char, 16384> buffer_;
  std::size_t begin_ = 0, end_ = 0;
};

}  // namespace glint
