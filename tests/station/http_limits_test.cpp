// The server's limits of time, number and size, each for open connections and for TLS.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <csignal>

#include "api_fixture.h"

namespace glint {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// A client of raw bytes, with or without TLS.
class Wire {
 public:
  Wire(int handle, bool tls) : handle_(handle) {
    const timeval limit{20, 0};
    ::setsockopt(handle_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (!tls) return;
    context_ = SSL_CTX_new(TLS_client_method());
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, handle_);
    agreed_ = SSL_connect(ssl_) == 1;
  }
  ~Wire() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    ::close(handle_);
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  bool agreed() const { return agreed_; }
  void send(const std::string& bytes) const {
    if (ssl_ != nullptr) {
      SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
    } else {
      ::send(handle_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
  }
  /// Until the server closes (or 20 s without a byte), or `until` has come.
  std::string receive(const std::string& until = "") const {
    std::string out;
    char buffer[4096];
    while (until.empty() || out.find(until) == std::string::npos) {
      const auto n = ssl_ != nullptr ? SSL_read(ssl_, buffer, sizeof(buffer))
                                     : static_cast<int>(::recv(handle_, buffer, sizeof(buffer), 0));
      if (n <= 0) break;
      out.append(buffer, static_cast<std::size_t>(n));
    }
    return out;
  }

 private:
  int handle_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  bool agreed_ = true;
};

int count(const std::string& text, const std::string& what) {
  int out = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++out;
  return out;
}

/// A key and a certificate of its own, made once.
const std::filesystem::path& certificate_folder() {
  static const TemporaryFolder folder;
  static const int made = std::system(  // NOLINT
      ("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout " +
       (folder.path() / "key.pem").string() + " -out " + (folder.path() / "cert.pem").string() +
       " >/dev/null 2>&1")
          .c_str());
  static const std::filesystem::path nowhere;
  return made == 0 ? folder.path() : nowhere;
}

class LimitsTest : public ApiTest, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // the client's SSL_write
    if (!GetParam()) return;
    if (certificate_folder().empty()) GTEST_SKIP() << "SKIPPED: openssl is not installed";
    http_options_.certificate = certificate_folder() / "cert.pem";
    http_options_.key = certificate_folder() / "key.pem";
  }
  std::unique_ptr<Wire> wire() const { return std::make_unique<Wire>(connect_raw(), GetParam()); }
  std::string exchange(const std::string& bytes) const {
    const auto one = wire();
    one->send(bytes);
    return one->receive();
  }
  bool healthy() const {
    return exchange("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .starts_with("HTTP/1.1 200");
  }
};
INSTANTIATE_TEST_SUITE_P(, LimitsTest, ::testing::Bool(),
                         [](const auto& one) { return one.param ? "Tls" : "Open"; });

const std::string kPostImage = "POST /api/inspections HTTP/1.1\r\nHost: localhost\r\n";

TEST_P(LimitsTest, ImagesAndSeveralRequestsOnOneConnection) {
  start();
  const std::string image = text_of(grey_png(20));
  const std::string request =
      kPostImage + "Content-Length: " + std::to_string(image.size()) + "\r\n\r\n" + image;
  const auto one = wire();
  for (int i = 0; i < 3; ++i) {
    one->send(request);
    EXPECT_NE(one->receive("}\n").find("\"verdict\":\"OK\""), std::string::npos);
  }
}

TEST_P(LimitsTest, SurplusConnectionsAreAnswered503AndClosed) {
  http_options_.connections = 4;
  http_options_.limits.idle_time = seconds(60);
  start();
  std::vector<std::unique_ptr<Wire>> idle;
  for (int i = 0; i < 4; ++i) {
    idle.push_back(wire());
    idle.back()->send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    idle.back()->receive("alive");
  }
  for (int i = 0; i < 6; ++i) {
    const std::string answer = exchange("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
    EXPECT_NE(answer.find("Retry-After: 1\r\n"), std::string::npos);
    EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  }
  idle.clear();
  EXPECT_TRUE(soon([&] { return healthy(); }));
}

TEST_P(LimitsTest, SlowHeadsAndBodiesAreCutAtTheDeadlineHoweverTheyDrip) {
  http_options_.limits.request_time = milliseconds(700);
  http_options_.connections = 8;
  start();
  const auto begin = Clock::now();
  std::vector<std::thread> slow;
  for (const std::string& head :
       {std::string("GET /health HTTP/1.1\r\nHost: localhost\r\nA: "),
        kPostImage + "Content-Length: 1000\r\n\r\nabc", kPostImage + "Transfer-Encoding: chunked\r\n\r\nff;",
        kPostImage + "Transfer-Encoding: chunked\r\n\r\n400\r\n"}) {
    slow.emplace_back([this, head] {
      const auto one = wire();
      one->send(head);
      std::atomic<bool> done{false};
      std::thread drip([&] {
        while (!done) {
          if (!GetParam()) one->send("x");  // one SSL object is not for two threads; there it only waits
          std::this_thread::sleep_for(milliseconds(50));
        }
      });
      EXPECT_TRUE(one->receive().starts_with("HTTP/1.1 408 ")) << head;
      done = true;
      drip.join();
    });
  }
  EXPECT_TRUE(healthy());
  for (std::thread& thread : slow) thread.join();
  EXPECT_LT(Clock::now() - begin, seconds(15));
  EXPECT_TRUE(healthy());
}

TEST_P(LimitsTest, ConnectionsThatSayNothingAreClosed) {
  http_options_.limits.idle_time = milliseconds(300);
  http_options_.limits.request_time = milliseconds(300);
  start();
  EXPECT_EQ(wire()->receive(), "");
  const Wire silent(connect_raw(), false);  // with TLS: a handshake that never comes
  EXPECT_EQ(silent.receive(), "");
}

TEST_P(LimitsTest, ARefusedBodyIsNeverTheNextRequest) {
  api_options_.token = "0123456789abcdef";
  http_options_.limits.max_body = 4096;
  start();
  const std::string inner = "GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const std::string length = "Content-Length: " + std::to_string(inner.size()) + "\r\n";
  const std::string allowed = "Authorization: Bearer 0123456789abcdef\r\n";
  for (const auto& [head, status] : std::vector<std::pair<std::string, std::string>>{
           {kPostImage + length, "401"},
           {"POST /nothing HTTP/1.1\r\nHost: localhost\r\n" + length, "401"},
           {"POST /api/nothing HTTP/1.1\r\nHost: localhost\r\n" + allowed + length, "404"},
           {"DELETE /api/inspections/1 HTTP/1.1\r\nHost: localhost\r\n" + length, "405"},
           {"POST /api/status HTTP/1.1\r\nHost: evil.example\r\n" + length, "403"},
           {kPostImage + allowed + "Content-Encoding: gzip\r\n" + length, "415"},
           {kPostImage + allowed + "Content-Type: multipart/form-data\r\n" + length, "400"},
           {kPostImage + allowed + "Content-Length: 5000\r\n", "413"},
           {kPostImage + allowed + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "400"},
           {kPostImage + allowed + "Content-Length: +5\r\n", "400"},
           {kPostImage + allowed + "Transfer-Encoding: gzip\r\n", "501"},
           {"GET /health HTTP/1.1\r\nHost: localhost\r\n" + length, "200"}}) {
    const std::string answer = exchange(head + "\r\n" + inner + inner);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + status)) << head << answer;
    EXPECT_EQ(count(answer, "HTTP/1.1 "), 1) << head << answer;
    EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << head;
  }
  EXPECT_TRUE(healthy());
}

TEST_P(LimitsTest, BodiesAreLimitedHoweverTheyAreSent) {
  http_options_.limits.max_body = 4096;
  start();
  EXPECT_TRUE(exchange(kPostImage + "Content-Length: 5000\r\n\r\n" + std::string(5000, 'x'))
                  .starts_with("HTTP/1.1 413"));
  std::string chunks;
  for (int i = 0; i < 6; ++i) chunks += "400\r\n" + std::string(1024, 'x') + "\r\n";
  EXPECT_TRUE(exchange(kPostImage + "Transfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n")
                  .starts_with("HTTP/1.1 413"));
  EXPECT_TRUE(exchange(kPostImage + "Connection: close\r\n\r\n").starts_with("HTTP/1.1 411"));
  const std::string long_head = "GET / HTTP/1.1\r\nHost: localhost\r\nA: " + std::string(40000, 'a');
  EXPECT_TRUE(exchange(long_head + "\r\n\r\n").starts_with("HTTP/1.1 431"));
  // An answer that comes before the body was sent still arrives.
  const auto large = wire();
  large->send(kPostImage + "Content-Length: 3000000\r\n\r\n");
  std::this_thread::sleep_for(milliseconds(100));
  for (int i = 0; i < 30; ++i) large->send(std::string(100000, 'x'));
  EXPECT_TRUE(large->receive().starts_with("HTTP/1.1 413"));
  EXPECT_TRUE(healthy());
}

TEST_P(LimitsTest, StoppingDoesNotWaitForIdleConnections) {
  http_options_.limits.idle_time = seconds(60);
  start();
  const auto one = wire();
  one->send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  one->receive("alive");
  stop();
  EXPECT_EQ(one->receive(), "");
}

class TlsTest : public LimitsTest {};
INSTANTIATE_TEST_SUITE_P(, TlsTest, ::testing::Values(true));

TEST_P(TlsTest, HandshakesAreBoundedAndOffTheAcceptingThread) {
  http_options_.connections = 4;
  http_options_.limits.request_time = milliseconds(1500);
  start();
  std::vector<std::unique_ptr<Wire>> silent;  // all places, and all that turn away
  for (int i = 0; i < 8; ++i) silent.push_back(std::make_unique<Wire>(connect_raw(), false));
  for (const auto& one : silent) EXPECT_EQ(one->receive(), "");
  EXPECT_TRUE(healthy());
  for (const std::string& garbage :
       {std::string("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"), std::string(2000, 'x'),
        std::string("\x16\x03\x01\x02", 4), std::string("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10)}) {
    const Wire one(connect_raw(), false);
    one.send(garbage);
    EXPECT_EQ(one.receive().find("HTTP/1.1 200"), std::string::npos) << garbage;
  }
  EXPECT_TRUE(healthy());
}

TEST_P(TlsTest, AHandshakeThatDripsIsCutAtTheDeadline) {
  http_options_.limits.request_time = milliseconds(500);
  start();
  const auto begin = Clock::now();
  const Wire one(connect_raw(), false);
  std::string hello =
      std::string("\x16\x03\x01\x02\x00", 5) + std::string("\x01\x00\x01\xfc", 4) + std::string(508, '\0');
  for (int i = 0; i < 40 && Clock::now() - begin < seconds(2); ++i) {
    one.send(hello.substr(static_cast<std::size_t>(i), 1));
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_EQ(one.receive(), "");
  EXPECT_LT(Clock::now() - begin, seconds(15));
  EXPECT_TRUE(healthy());
}

TEST_P(TlsTest, OldProtocolsAndWrongPairsAreRefused) {
  start();
  httplib::SSLClient secure("127.0.0.1", port_);
  secure.enable_server_certificate_verification(false);
  EXPECT_EQ(secure.Get("/health")->status, 200);
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_security_level(context, 0);
  SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
  SSL* old = SSL_new(context);
  const int handle = connect_raw();
  SSL_set_fd(old, handle);
  EXPECT_NE(SSL_connect(old), 1);
  SSL_free(old);
  SSL_CTX_free(context);
  ::close(handle);
  http_options_.key = http_options_.certificate;
  EXPECT_THROW(HttpServer bad(http_options_), Error);
  http_options_.key = "";
  EXPECT_THROW(http_options_.validate(), Error);
}

TEST_P(TlsTest, AListenerThatLeavesFreesItsPlace) {
  api_options_.event_readers = 1;
  start();
  const std::string get = "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
  {
    const auto one = wire();
    one->send(get);
    EXPECT_NE(one->receive("event: status").find("event: status"), std::string::npos);
    EXPECT_TRUE(exchange(get).starts_with("HTTP/1.1 503"));
  }
  EXPECT_TRUE(soon([&] {
    const auto next = wire();
    next->send(get);
    return next->receive("\r\n").starts_with("HTTP/1.1 200");
  }));
}

TEST_F(ApiTest, ATakenPortIsAnErrorAndAnUnknownHostToo) {
  start();
  HttpOptions taken = http_options_;
  taken.port = port_;
  HttpServer second(taken);
  EXPECT_THROW(second.bind(), Error);
  taken.host = "no-such-host.invalid";
  HttpServer third(taken);
  EXPECT_THROW(third.bind(), Error);
}

TEST(ParseListen, HostsAndPorts) {
  HttpOptions options;
  parse_listen("0.0.0.0:80", options);
  EXPECT_EQ(options.host + std::to_string(options.port), "0.0.0.080");
  EXPECT_FALSE(options.is_loopback());
  options.host = "127.evil.example";
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

}  // namespace
}  // namespace glint
