#include "glint/station/api.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_judge.h"
#include "glint/station/http_server.h"
#include "glint/station/station.h"
#include "golden.h"

namespace glint {
namespace {

using nlohmann::json;

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
    api_options_.max_body = http_options_.max_body;
    api_ = std::make_unique<Api>(*station_, api_options_, server_->routes());
    port_ = server_->bind();
    thread_ = std::thread([this] { server_->run(); });
    while (!server_->routes().is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
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

TEST_F(ApiTest, InspectsRawBodiesAndForms) {
  start();
  auto answer = post_image(200, "?part_id=p&view=top");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  json body = json::parse(answer->body);
  EXPECT_EQ(body["verdict"], "NOK");
  EXPECT_EQ(body["part"]["verdict"], "NOK");
  EXPECT_TRUE(body["recorded"]);
  answer = client().Post("/api/inspections", httplib::MultipartFormDataItems{
                                                 {"part_id", "p", "", ""},
                                                 {"view", "side", "", ""},
                                                 {"image", text_of(grey_png(20)), "x.png", "image/png"}});
  ASSERT_TRUE(answer);
  body = json::parse(answer->body);
  EXPECT_EQ(body["verdict"], "OK");
  EXPECT_EQ(body["part"]["views"], 2);
  EXPECT_EQ(body["part"]["verdict"], "NOK");  // by the most anomalous view
  const json part = json::parse(client().Get("/api/parts?part_id=p")->body);
  EXPECT_EQ(part["inspections"][0]["view"], "top");
  EXPECT_EQ(client().Get("/api/parts?part_id=unknown")->status, 404);
}

TEST_F(ApiTest, AnswersNoDecisionForWhatIsNoImage) {
  start();
  for (const std::string& bytes : {std::string("not an image"), text_of(grey_png(20)).substr(0, 60)}) {
    const auto answer = client().Post("/api/inspections", bytes, "image/png");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(json::parse(answer->body)["verdict"], "NO DECISION");
  }
  std::string bomb = text_of(grey_png(20));
  for (const std::size_t at : {16U, 20U}) bomb.replace(at, 4, std::string("\0\0\xea\x60", 4));  // 60000
  const auto answer = client().Post("/api/inspections", bomb, "image/png");
  EXPECT_NE(json::parse(answer->body)["reason"].get<std::string>().find("3600000000 pixels"),
            std::string::npos);
  EXPECT_EQ(client().Post("/api/inspections", "", "image/png")->status, 400);
}

TEST_F(ApiTest, RefusesBadParametersWithASentence) {
  start();
  EXPECT_EQ(post_image(20, "?part_id=" + std::string(201, 'x'))->status, 400);
  EXPECT_EQ(post_image(20, "?part_id=a%0ab")->status, 400);
  for (const char* query :
       {"?before=x", "?since=yesterday", "?verdict=MAYBE", "?limit=-3", "?before=99999999999999999999"}) {
    const auto answer = client().Get(std::string("/api/inspections") + query);
    EXPECT_EQ(answer->status, 400) << query;
    EXPECT_TRUE(json::parse(answer->body).contains("error"));
  }
  EXPECT_EQ(client().Get("/api/inspections/999")->status, 404);
  EXPECT_EQ(client().Get("/api/inspections/1e3")->status, 404);
  EXPECT_EQ(client().Post("/api/inspections/1/reviews", "{bad", "application/json")->status, 400);
  EXPECT_EQ(client().Post("/api/inspections/1/reviews", "{}", "application/json")->status, 400);
  EXPECT_EQ(client().Post("/api/nothing", "x", "text/plain")->status, 404);
  EXPECT_EQ(client().Delete("/api/inspections/1")->status, 405);
}

TEST_F(ApiTest, ListsPagesReviewsAndPictures) {
  start();
  for (int i = 0; i < 5; ++i) post_image(i % 2 ? 200 : 20);
  json list = json::parse(client().Get("/api/inspections?limit=2")->body);
  EXPECT_EQ(list["inspections"].size(), 2U);
  list = json::parse(client().Get("/api/inspections?limit=500&before=" + list["next_before"].dump())->body);
  EXPECT_EQ(list["inspections"].size(), 3U);
  EXPECT_TRUE(list["next_before"].is_null());
  list = json::parse(client().Get("/api/inspections?verdict=NOK")->body);
  const std::string id = list["inspections"][0]["id"].dump();
  const auto reviewed =
      client().Post("/api/inspections/" + id + "/reviews",
                    R"({"verdict":"OK","reason":"reflection","by":"eva"})", "application/json");
  ASSERT_EQ(reviewed->status, 200);
  EXPECT_EQ(json::parse(reviewed->body)["final_verdict"], "OK");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path() / "good"), {}), 1);
  EXPECT_EQ(
      client()
          .Post("/api/inspections/" + id + "/reviews", R"({"verdict":"NO DECISION"})", "application/json")
          ->status,
      400);
  for (const char* picture : {"image", "map", "thumbnail"}) {
    const auto answer = client().Get("/api/inspections/" + id + "/" + picture);
    ASSERT_EQ(answer->status, 200) << picture;
    EXPECT_NO_THROW(decode_image(std::as_bytes(std::span(answer->body)), picture));
  }
}

TEST_F(ApiTest, OldPicturesComeFromDiskAndTheirMapsFromTheSameModel) {
  start();
  for (int i = 0; i < 60; ++i) ASSERT_EQ(post_image(i)->status, 200);
  const auto first =
      json::parse(client().Get("/api/inspections?limit=500")->body)["inspections"].back()["id"].dump();
  EXPECT_EQ(client().Get("/api/inspections/" + first + "/image")->status, 200);
  EXPECT_EQ(client().Get("/api/inspections/" + first + "/map")->status, 200);
  EXPECT_EQ(client().Post("/api/models/n/activate", "", "")->status, 200);
  EXPECT_EQ(client().Get("/api/inspections/" + first + "/map")->status, 404);
  EXPECT_EQ(client().Post("/api/models/rollback", "", "")->status, 200);
  EXPECT_EQ(client().Get("/api/inspections/" + first + "/map")->status, 200);
  EXPECT_EQ(client().Post("/api/models/..%2Fm/load", "", "")->status, 404);
  const json models = json::parse(client().Get("/api/models")->body)["models"];
  EXPECT_TRUE(models[0]["active"]);
}

TEST_F(ApiTest, IdempotencyKeys) {
  start();
  const httplib::Headers key = {{"Idempotency-Key", "part-1"}};
  const json first = json::parse(post_image(20, "", key)->body),
             again = json::parse(post_image(20, "", key)->body);
  EXPECT_EQ(first["id"], again["id"]);
  EXPECT_TRUE(again["repeated"]);
  EXPECT_EQ(post_image(21, "", key)->status, 400);
}

TEST_F(ApiTest, ATokenGuardsEverythingThatChangesState) {
  api_options_.token = "0123456789abcdef";
  start();
  EXPECT_EQ(post_image(20)->status, 401);
  EXPECT_EQ(post_image(20, "", {{"Authorization", "Bearer 0123456789abcdeX"}})->status, 401);
  EXPECT_EQ(client().Post("/api/models/rollback", "", "")->status, 401);
  EXPECT_EQ(post_image(20, "", {{"Authorization", "Bearer 0123456789abcdef"}})->status, 200);
  EXPECT_EQ(client().Get("/api/status")->status, 200);
}

TEST_F(ApiTest, OtherOriginsAndHostNamesAreRefused) {
  start();
  const std::string here = "127.0.0.1:" + std::to_string(port_);
  EXPECT_EQ(post_image(20, "", {{"Origin", "http://evil.example"}})->status, 403);
  EXPECT_EQ(post_image(20, "", {{"Origin", "http://" + here}, {"Host", here}})->status, 200);
  EXPECT_EQ(client().Get("/api/status", httplib::Headers{{"Host", "evil.example"}})->status, 403);
  EXPECT_EQ(client().Get("/api/status", httplib::Headers{{"Host", "localhost:8750"}})->status, 200);
}

TEST_F(ApiTest, NoPathFromARequestReachesTheFileSystem) {
  start();
  for (const char* path : {"/../../etc/passwd", "/..%2f..%2fetc/passwd", "/page.css/../../j.db", "/j.db",
                           "//etc/passwd", "/api/inspections/..%2f1/image", "/%2e%2e/j.db"}) {
    const std::string answer =
        raw(std::string("GET ") + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.1 400")) << path << answer;
  }
}

TEST_F(ApiTest, BodiesAreLimitedHoweverTheyAreSent) {
  http_options_.max_body = 4096;
  start();
  const std::string large(5000, 'x');
  EXPECT_EQ(client().Post("/api/inspections", large, "image/png")->status, 413);
  std::string chunked =
      "POST /api/inspections HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 6; ++i) chunked += "400\r\n" + std::string(1024, 'x') + "\r\n";
  EXPECT_NE(raw(chunked + "0\r\n\r\n").find(" 413 "), std::string::npos);
  EXPECT_NE(raw("POST /api/inspections HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: "
                "gzip\r\nContent-Length: 5\r\n\r\nabcde")
                .find(" 415 "),
            std::string::npos);
  EXPECT_NE(raw("POST /api/inspections HTTP/1.1\r\nHost: localhost\r\n\r\n").find(" 411 "),
            std::string::npos);
  EXPECT_EQ(post_image(20)->status, 200);  // and the server still works
}

TEST_F(ApiTest, OverloadIsAnswered503AtOnceAndHealthStaysResponsive) {
  station_options_.line.queue_length = 2;
  start();
  behaviour_->delay_ms = 100;
  std::atomic<int> decided{0}, refused{0}, other{0};
  std::atomic<bool> retry_after{true};
  std::vector<std::thread> clients;
  for (int c = 0; c < 16; ++c) {
    clients.emplace_back([&] {
      const auto answer = post_image(20);
      if (!answer) {
        ++other;
      } else if (answer->status == 200) {
        ++decided;
      } else if (answer->status == 503) {
        ++refused;
        if (!answer->has_header("Retry-After")) retry_after = false;
      } else {
        ++other;
      }
    });
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(client().Get("/health")->status, 200);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  for (std::thread& thread : clients) thread.join();
  EXPECT_GT(refused, 0);
  EXPECT_GT(decided, 0);
  EXPECT_EQ(other, 0);
  EXPECT_TRUE(retry_after);
  EXPECT_EQ(station_->journal().counts_since(0).at(Verdict::kOk), decided);
}

TEST_F(ApiTest, SlowClientsAreCutOffAndDoNotKeepOthersOut) {
  http_options_.request_time = std::chrono::milliseconds(700);
  http_options_.connections = 8;
  start();
  std::vector<int> slow;
  for (int i = 0; i < 6; ++i) {
    slow.push_back(connect_raw());
    const std::string begin =
        "POST /api/inspections HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc";
    ASSERT_GT(::send(slow.back(), begin.data(), begin.size(), MSG_NOSIGNAL), 0);
  }
  EXPECT_EQ(client().Get("/health")->status, 200);
  for (const int handle : slow) {  // dripping does not extend the time
    std::string got;
    char buffer[512];
    for (int k = 0; k < 40; ++k) {
      ::send(handle, "x", 1, MSG_NOSIGNAL);
      const ssize_t n = ::recv(handle, buffer, sizeof(buffer), MSG_DONTWAIT);
      if (n > 0) got.append(buffer, n);
      if (n == 0 || !got.empty()) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_NE(got.find(" 400 "), std::string::npos) << got;
    ::close(handle);
  }
  EXPECT_EQ(post_image(20)->status, 200);
}

TEST_F(ApiTest, TooManyConnectionsAreTurnedAway) {
  http_options_.connections = 4;
  start();
  std::vector<int> idle;
  for (int i = 0; i < 4; ++i) idle.push_back(connect_raw());
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const std::string answer = raw("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_NE(answer.find("503"), std::string::npos);
  EXPECT_NE(answer.find("Retry-After"), std::string::npos);
  for (const int handle : idle) ::close(handle);
  EXPECT_TRUE(soon([&] {
    const auto health = client().Get("/health");
    return health && health->status == 200;
  }));
}

TEST_F(ApiTest, AClientThatLeavesMidRequestHarmsNobody) {
  start();
  behaviour_->delay_ms = 50;
  const std::string image = text_of(grey_png(20));
  for (int i = 0; i < 8; ++i) {
    const int handle = connect_raw();
    const std::string head = "POST /api/inspections HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                             std::to_string(image.size()) + "\r\n\r\n";
    const std::string sent = head + (i % 2 ? image : image.substr(0, image.size() / 2));
    ::send(handle, sent.data(), sent.size(), MSG_NOSIGNAL);
    ::close(handle);
  }
  EXPECT_EQ(post_image(20)->status, 200);
  // Whole images that were taken in are on record though nobody waits for them.
  EXPECT_TRUE(soon([&] { return station_->journal().counts_since(0)[Verdict::kOk] == 5; }));
}

TEST_F(ApiTest, EventsReachAListener) {
  start();
  std::string got;
  std::mutex mutex;
  std::thread listener([&] {
    client().Get("/api/events", [&](const char* data, std::size_t n) {
      const std::lock_guard guard(mutex);
      got.append(data, n);
      return got.find("event: review") == std::string::npos;
    });
  });
  const auto seen = [&](const char* what) {
    return soon([&] {
      const std::lock_guard guard(mutex);
      return got.find(what) != std::string::npos;
    });
  };
  EXPECT_TRUE(seen("event: status"));
  post_image(200);
  EXPECT_TRUE(seen("event: inspection"));
  const std::string id = json::parse(client().Get("/api/inspections")->body)["inspections"][0]["id"].dump();
  client().Post("/api/inspections/" + id + "/reviews", R"({"verdict":"OK"})", "application/json");
  EXPECT_TRUE(seen("event: review"));
  listener.join();
}

TEST_F(ApiTest, EveryAnswerCarriesSecurityHeaders) {
  start();
  for (const char* path : {"/", "/page.js", "/api", "/health", "/nothing"}) {
    const auto answer = client().Get(path);
    EXPECT_EQ(answer->get_header_value("X-Content-Type-Options"), "nosniff") << path;
    EXPECT_NE(answer->get_header_value("Content-Security-Policy").find("default-src 'self'"),
              std::string::npos);
    EXPECT_EQ(answer->get_header_value_count("Cache-Control"), 1U) << path;
  }
  EXPECT_EQ(json::parse(client().Get("/api")->body)["openapi"], "3.1.0");
  const std::string metrics = client().Get("/metrics")->body;
  EXPECT_NE(metrics.find("# TYPE glint_inspections_total counter"), std::string::npos);
}

TEST_F(ApiTest, EveryDescribedRouteExists) {
  start();
  const std::string id = json::parse(post_image(200, "?part_id=1")->body)["id"].dump();
  int routes = 0;
  const json described = json::parse(client().Get("/api")->body);
  for (const auto& [path, methods] : described["paths"].items()) {
    std::string address = path;
    if (const auto at = address.find("{id}"); at != std::string::npos) address.replace(at, 4, id);
    if (const auto at = address.find("{name}"); at != std::string::npos) address.replace(at, 6, "m");
    if (address == "/api/parts") address += "?part_id=1";
    if (address == "/api/events") continue;  // never ends
    for (const auto& [method, description] : methods.items()) {
      const auto answer =
          method == "get" ? client().Get(address) : client().Post(address, "{}", "application/json");
      ASSERT_TRUE(answer) << method << " " << address;
      EXPECT_NE(answer->status, 404) << method << " " << address;
      EXPECT_NE(answer->status, 405) << method << " " << address;
      EXPECT_TRUE(description["responses"].contains(std::to_string(answer->status)))
          << address << answer->status;
      ++routes;
    }
  }
  EXPECT_GT(routes, 18);
}

TEST_F(ApiTest, ReadinessSaysWhatIsWrong) {
  station_options_.journal_limits.max_bytes = 96 * 1024;
  start();
  EXPECT_EQ(client().Get("/ready")->status, 200);
  httplib::Result answer = post_image(20);
  for (int i = 0; i < 2000 && answer->status == 200; ++i) answer = post_image(20);
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(json::parse(answer->body)["verdict"], "NO DECISION");
  const auto ready = client().Get("/ready");
  EXPECT_EQ(ready->status, 503);
  EXPECT_NE(ready->body.find("full"), std::string::npos);
  EXPECT_EQ(client().Get("/health")->status, 200);
}

TEST_F(ApiTest, DriftOfGoodPartsIsWarnedOf) {
  start();
  for (int i = 0; i < 30; ++i) ASSERT_EQ(post_image(60)->status, 200);  // 0.235, as in the calibration
  json drift = json::parse(client().Get("/api/statistics")->body)["drift"];
  EXPECT_TRUE(drift["warnings"].empty()) << drift;
  for (int i = 0; i < 25; ++i) post_image(75);  // 0.294: still OK, but higher than any calibration part
  drift = json::parse(client().Get("/api/statistics")->body)["drift"];
  ASSERT_FALSE(drift["warnings"].empty());
  EXPECT_EQ(drift["warnings"][0]["kind"], "mean");
}

TEST_F(ApiTest, TlsThroughTheLibrary) {
  const std::string command =
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout " +
      (folder_.path() / "key.pem").string() + " -out " + (folder_.path() / "cert.pem").string() +
      " >/dev/null 2>&1";
  if (std::system(command.c_str()) != 0) GTEST_SKIP() << "SKIPPED: openssl is not installed";  // NOLINT
  http_options_.certificate = (folder_.path() / "cert.pem").string();
  http_options_.key = (folder_.path() / "key.pem").string();
  start();
  httplib::SSLClient secure("127.0.0.1", port_);
  secure.enable_server_certificate_verification(false);
  EXPECT_EQ(secure.Get("/health")->status, 200);
  const auto answer = secure.Post("/api/inspections", text_of(grey_png(20)), "image/png");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  http_options_.key = (folder_.path() / "cert.pem").string();
  EXPECT_THROW(HttpServer bad(http_options_), Error);
}

TEST_F(ApiTest, ATakenPortIsAnError) {
  start();
  HttpOptions taken = http_options_;
  taken.port = port_;
  HttpServer second(taken);
  EXPECT_THROW(second.bind(), Error);
}

TEST(ParseListen, HostsAndPorts) {
  HttpOptions options;
  parse_listen("0.0.0.0:80", options);
  EXPECT_EQ(options.host + std::to_string(options.port), "0.0.0.080");
  EXPECT_FALSE(options.is_loopback());
  parse_listen("[::1]:8750", options);
  EXPECT_EQ(options.host, "::1");
  EXPECT_TRUE(options.is_loopback());
  options = {};
  parse_listen(":9000", options);
  EXPECT_EQ(options.host, "127.0.0.1");
  parse_listen("9001", options);
  EXPECT_EQ(options.port, 9001);
  for (const char* bad : {"", "localhost", "host:port", "1.2.3.4"})
    EXPECT_THROW(parse_listen(bad, options), Error) << bad;
}

TEST(ReadToken, TakesTheFirstLineAndRefusesShortOnes) {
  TemporaryFolder folder;
  write_text(folder.path() / "t", "0123456789abcdef\nmore\n");
  EXPECT_EQ(read_token(folder.path() / "t"), "0123456789abcdef");
  write_text(folder.path() / "t", "short\n");
  EXPECT_THROW(read_token(folder.path() / "t"), Error);
}

}  // namespace
}  // namespace glint
