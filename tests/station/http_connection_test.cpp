// What one connection's bytes become, without a network. Limits of time and number: http_limits_test.cpp.
#include "glint/station/http_connection.h"

#include <gtest/gtest.h>

#include "memory_channel.h"

namespace glint {
namespace {

const std::string kPost = "POST /a HTTP/1.1\r\nHost: h\r\n";

struct Served {
  std::vector<std::string> bodies;  ///< of the requests that reached the handler
  std::string written;
  bool finished = false;

  int answers(const std::string& status) const {
    int count = 0;
    for (std::size_t at = 0; (at = written.find("HTTP/1.1 " + status, at)) != std::string::npos; ++at)
      ++count;
    return count;
  }
};

/// `read`: whether the handler reads the bodies.
Served serve(const std::string& bytes, bool read = true, std::size_t piece = 1 << 20) {
  MemoryChannel channel(bytes, piece);
  ConnectionLimits limits;
  limits.max_body = 100;
  Served out;
  serve_connection(
      channel, limits,
      [&](HttpRequest& request, HttpResponse& response) {
        out.bodies.push_back(request.method + " " + (read ? request.body->read_all(1000) : ""));
        if (!read) throw Refusal{403, "no"};
        response.set_content("done", "text/plain");
      },
      [] { return false; });
  out.written = channel.written;
  out.finished = channel.finished;
  return out;
}

TEST(Connection, PipelinedRequestsAreAnsweredInTurnHoweverTheirBytesCome) {
  const std::string both =
      kPost + "Content-Length: 3\r\n\r\nabc" + "\r\n" + kPost +
      "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nde\r\n1\r\nf\r\n0\r\nTrailer: 1\r\n\r\n" +
      "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::size_t piece : {1U, 2U, 3U, 7U, 1000U}) {
    const Served got = serve(both, true, piece);
    EXPECT_EQ(got.bodies, (std::vector<std::string>{"POST abc", "POST def", "GET "})) << piece;
    EXPECT_EQ(got.answers("200"), 3);
    EXPECT_TRUE(got.finished);
  }
}

TEST(Connection, AnUnreadBodyIsNeverTheNextRequest) {
  const std::string inner = "GET /inner HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::string& framing :
       {"Content-Length: " + std::to_string(inner.size()) + "\r\n\r\n" + inner,
        "Transfer-Encoding: chunked\r\n\r\n21\r\n" + inner + "\r\n0\r\n\r\n",
        "Content-Length: 5000\r\n\r\n" + inner,
        "Content-Length: " + std::to_string(inner.size()) + "\r\nExpect: 100-continue\r\n\r\n" + inner}) {
    const Served got = serve(kPost + framing, false);
    EXPECT_EQ(got.bodies.size(), 1U) << framing;
    EXPECT_EQ(got.answers("403"), 1);
    EXPECT_EQ(got.answers(""), 1);
    EXPECT_NE(got.written.find("Connection: close\r\n"), std::string::npos);
  }
  const Served get = serve("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 33\r\n\r\n" + inner, false);
  EXPECT_EQ(get.bodies.size(), 1U);
  // Nothing unread: the connection goes on.
  EXPECT_EQ(serve(kPost + "Content-Length: 0\r\n\r\n" + kPost + "\r\n", false).answers("403"), 2);
}

TEST(Connection, BrokenHeadsAndChunksEndIt) {
  for (const std::string& bytes :
       {kPost + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        std::string("\x16\x03\x01\x02", 4), std::string("GET / HTTP/1.1\nHost: h\n\n"),
        std::string("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost: h\r\n")}) {
    const Served got = serve(bytes + "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(got.bodies.empty()) << bytes;
    EXPECT_EQ(got.answers("400"), 1) << bytes;
    EXPECT_EQ(got.answers(""), 1) << bytes;
  }
  for (const char* chunks : {"0x3\r\nabc\r\n0\r\n\r\n", "+3\r\nabc\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n",
                             "\r\n", "3 x\r\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc0\r\n\r\n",
                             "-1\r\n\r\n", "3;a\rb\r\nabc\r\n0\r\n\r\n"}) {
    const Served got =
        serve(kPost + "Transfer-Encoding: chunked\r\n\r\n" + chunks + "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(got.answers("400"), 1) << chunks;
    EXPECT_EQ(got.answers(""), 1) << chunks;
  }
}

TEST(Connection, SizesAreLimitedHoweverTheyAreSent) {
  EXPECT_EQ(serve(kPost + "Content-Length: 101\r\n\r\n").answers("413"), 1);
  std::string chunks;
  for (int i = 0; i < 6; ++i) chunks += "14\r\n" + std::string(20, 'x') + "\r\n";
  EXPECT_EQ(serve(kPost + "Transfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n").answers("413"), 1);
  EXPECT_EQ(serve(kPost + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n").answers("413"), 1);
  EXPECT_EQ(
      serve(kPost + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(300, 'x') + "\r\n").answers("400"),
      1);
  EXPECT_EQ(serve("GET /" + std::string(9000, 'a')).answers("414"), 1);
  EXPECT_EQ(serve(kPost + "a: " + std::string(40000, 'a')).answers("431"), 1);
}

TEST(Connection, ContinueIsSaidOnlyToWhoMayGoOn) {
  const std::string head = kPost + "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n";
  const Served taken = serve(head + "abc", true, head.size());
  EXPECT_TRUE(taken.written.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(serve(head + "abc").answers("100"), 0);  // it did not wait
  EXPECT_EQ(serve(head, false, head.size()).answers("100"), 0);
}

TEST(Connection, HeadHasNoBodyAndOldClientsAreLeftAfterOneAnswer) {
  const Served head = serve("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(head.written.find("Content-Length: 4\r\n"), std::string::npos);
  EXPECT_TRUE(head.written.ends_with("\r\n\r\n"));
  EXPECT_EQ(serve("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n").answers("200"), 1);
  EXPECT_EQ(serve("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n").answers("200"),
            2);
}

TEST(Connection, StreamsAreChunkedAndWhatHandlersThrowIsAnAnswer) {
  const auto run = [](const char* version, const HttpHandler& handler) {
    const std::string bytes = std::string("GET / ") + version + "\r\nHost: h\r\n\r\n";
    MemoryChannel channel(bytes);
    serve_connection(channel, {}, handler, [] { return false; });
    return channel.written;
  };
  const HttpHandler stream = [](HttpRequest&, HttpResponse& response) {
    response.stream = [left = 2]() mutable {
      return left-- > 0 ? std::optional<std::string>("abc") : std::nullopt;
    };
  };
  EXPECT_TRUE(run("HTTP/1.1", stream).ends_with("\r\n\r\n3\r\nabc\r\n3\r\nabc\r\n0\r\n\r\n"));
  EXPECT_TRUE(run("HTTP/1.0", stream).ends_with("Connection: close\r\n\r\nabcabc"));
  const std::string error =
      run("HTTP/1.1", [](HttpRequest&, HttpResponse&) { throw std::runtime_error("broke\xff"); });
  EXPECT_TRUE(error.starts_with("HTTP/1.1 500 "));
  EXPECT_NE(error.find("broke"), std::string::npos);
  const std::string busy = run("HTTP/1.1", [](HttpRequest&, HttpResponse&) {
    throw Refusal{503, "later", 7};
  });
  EXPECT_NE(busy.find("Retry-After: 7\r\n"), std::string::npos);
}

}  // namespace
}  // namespace glint
