// A connection without a network: gives the bytes that it was made with, in pieces, and keeps what is
// written.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "glint/station/channel.h"

namespace glint {

class MemoryChannel : public Channel {
 public:
  explicit MemoryChannel(std::string_view bytes, std::size_t piece = 1 << 20) : left_(bytes), piece_(piece) {}

  std::optional<std::size_t> read(std::span<char> to, Time) override {
    const std::size_t n = std::min({to.size(), left_.size(), piece_});
    std::memcpy(to.data(), left_.data(), n);
    left_.remove_prefix(n);
    return n;
  }
  bool write(std::string_view bytes, Time) override {
    written += bytes;
    return written.size() < (std::size_t{1} << 22);
  }
  bool abandoned() override { return false; }
  void finish(Time, std::size_t) override { finished = true; }
  std::string local_address() const override { return "127.0.0.1"; }
  bool secure() const override { return false; }

  std::string written;
  bool finished = false;

 private:
  std::string_view left_;
  std::size_t piece_;
};

}  // namespace glint
