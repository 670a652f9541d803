// A whole request as bytes: request line, headers, multipart, JSON, and what the handlers make of them. Each
// input is one connection to a station with a judge that needs no network.

#include <httplib.h>

#include <cstring>
#include <filesystem>

#include "../tests/station/fake_judge.h"
#include "glint/station/api.h"
#include "glint/station/station.h"

namespace {

/// Gives the fuzzer's bytes and drops what is written.
class BytesStream : public httplib::Stream {
 public:
  BytesStream(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  bool is_readable() const override { return left_ > 0; }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override {
    const std::size_t n = std::min(size, left_);
    std::memcpy(to, data_, n);
    data_ += n;
    left_ -= n;
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char*, std::size_t size) override {
    written_ += size;
    return written_ > (1U << 22) ? -1 : static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip = "127.0.0.1";
    port = 1;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override { get_remote_ip_and_port(ip, port); }
  socket_t socket() const override { return INVALID_SOCKET; }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
  std::size_t written_ = 0;
};

class OpenServer : public httplib::Server {
 public:
  using httplib::Server::process_request;
};

struct Fixture {
  Fixture() {
    const auto folder = std::filesystem::temp_directory_path() / "glint-fuzz-http";
    std::filesystem::remove_all(folder);
    glint::write_text(folder / "m.glint", "0.5");
    glint::StationOptions options;
    options.journal = folder / "j.db";
    options.journal_limits.max_bytes = 64 << 20;
    station = std::make_unique<glint::Station>(std::vector<std::filesystem::path>{folder / "m.glint"},
                                               glint::fake_loader(), options);
    station->events().close();  // a stream of events would never end
    glint::ApiOptions api_options;
    api_options.max_body = 1 << 16;
    server.set_payload_max_length(1 << 16);
    api = std::make_unique<glint::Api>(*station, api_options, server);
  }
  std::unique_ptr<glint::Station> station;
  OpenServer server;
  std::unique_ptr<glint::Api> api;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fixture* fixture = new Fixture;
  BytesStream stream(data, size);
  bool closed = false;
  for (int i = 0; i < 3 && !closed && stream.is_readable(); ++i) {
    if (!fixture->server.process_request(stream, false, closed, nullptr)) break;
  }
  return 0;
}
