// A station with the fake judge behind a real server, and clients for it.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_judge.h"
#include "glint/station/api.h"
#include "glint/station/http_server.h"
#include "glint/station/station.h"
#include "golden.h"

namespace glint {

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() {
    write_text(folder_.path() / "m.glint", "0.5");
    write_text(folder_.path() / "n.glint", "0.1");
    station_options_.journal = folder_.path() / "j.db";
    station_options_.images.keep = KeepImages::kAll;
    station_options_.collect = folder_.path() / "good";
    http_options_.port = 0;
  }
  ~ApiTest() override { stop(); }

  void start() {
    station_ = std::make_unique<Station>(
        std::vector<std::filesystem::path>{folder_.path() / "m.glint", folder_.path() / "n.glint"},
        fake_loader(behaviour_), station_options_);
    server_ = std::make_unique<HttpServer>(http_options_);
    api_options_.hosts = HostRule(http_options_.host, http_options_.names);
    api_ = std::make_unique<Api>(*station_, api_options_);
    port_ = server_->bind();
    thread_ = std::thread([this] {
      server_->run([this](HttpRequest& request, HttpResponse& response) { api_->handle(request, response); });
    });
  }
  void stop() {
    if (!thread_.joinable()) return;
    station_->events().close();
    server_->stop();
    thread_.join();
    station_.reset();
  }
  httplib::Client client() const {
    httplib::Client out("127.0.0.1", port_);
    out.set_read_timeout(20);
    return out;
  }
  static std::string text_of(const Bytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  httplib::Result post_image(int level, const std::string& query = "", httplib::Headers headers = {}) const {
    return client().Post("/api/inspections" + query, headers, text_of(grey_png(level)), "image/png");
  }
  /// Sends raw bytes and returns all that comes back within `wait_ms`.
  std::string raw(const std::string& bytes, int wait_ms = 3000) const {
    const int handle = connect_raw();
    EXPECT_EQ(::send(handle, bytes.data(), bytes.size(), MSG_NOSIGNAL), std::ssize(bytes));
    timeval limit{wait_ms / 1000, (wait_ms % 1000) * 1000};
    ::setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    std::string out;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::recv(handle, buffer, sizeof(buffer), 0)) > 0;) out.append(buffer, n);
    ::close(handle);
    return out;
  }
  int connect_raw() const {
    const int handle = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    EXPECT_EQ(::connect(handle, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return handle;
  }

  TemporaryFolder folder_;
  std::shared_ptr<FakeBehaviour> behaviour_ = std::make_shared<FakeBehaviour>();
  StationOptions station_options_;
  HttpOptions http_options_;
  ApiOptions api_options_;
  std::unique_ptr<Station> station_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<Api> api_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace glint
