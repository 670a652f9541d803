#include "glint/station/http_head.h"

#include <gtest/gtest.h>

namespace glint {
namespace {

const std::string kHost = "Host: localhost\r\n";

/// 0 when it is accepted.
int status_of_head(const std::string& head) {
  try {
    parse_request_head(head);
    return 0;
  } catch (const Refusal& refusal) {
    EXPECT_FALSE(refusal.text.empty());
    return refusal.status;
  }
}

int with(const std::string& headers, const std::string& line = "POST /api HTTP/1.1") {
  return status_of_head(line + "\r\n" + headers + "\r\n");
}

TEST(RequestHead, ReadsLineHeadersAndQuery) {
  const HttpRequest q = parse_request_head(
      "GET /api/parts?part_id=a%20b+c&x&y=%C3%A4=1 HTTP/1.1\r\nHOST: LocalHost:8750\r\nX:  v \t\r\n"
      "cOnnection: foo, Close\r\n\r\n");
  EXPECT_EQ(q.method, "GET");
  EXPECT_EQ(q.path, "/api/parts");
  EXPECT_EQ(q.query, (HttpFields{{"part_id", "a b c"}, {"x", ""}, {"y", "\xc3\xa4=1"}}));
  EXPECT_EQ(q.host->host, "localhost");
  EXPECT_EQ(q.header("x"), "v");
  EXPECT_FALSE(q.keep_alive);
  EXPECT_FALSE(q.content_length);
}

TEST(RequestHead, AHostIsNeededOnceAndTheAddressCountsBeforeIt) {
  EXPECT_EQ(status_of_head("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status_of_head("GET / HTTP/1.0\r\n\r\n"), 0);
  for (const char* host :
       {"Host: a\r\nHost: a\r\n", "Host:\r\n", "Host: a b\r\n", "Host: a,b\r\n", "Host : a\r\n"})
    EXPECT_EQ(with(host), 400) << host;
  const HttpRequest q =
      parse_request_head("GET HTTP://Evil.example:80/x?y=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(q.host->host, "evil.example");
  EXPECT_EQ(q.path, "/x");
  EXPECT_EQ(q.query.size(), 1U);
  EXPECT_EQ(parse_request_head("GET http://a?y HTTP/1.1\r\nHost: a\r\n\r\n").path, "/");
  EXPECT_EQ(status_of_head("GET http://a/ HTTP/1.1\r\n\r\n"), 400);
  for (const char* target : {"http://u@a/", "http:///", "ftp://a/", "*", "a:80", "x", "/a#b", "/\xc3\xa4",
                             "/%zz", "/%", "/%4", "/%00", "/%ff", "/?a=%ff", "/?%00=1"})
    EXPECT_EQ(with(kHost, std::string("GET ") + target + " HTTP/1.1"), 400) << target;
}

TEST(RequestHead, LengthsThatTwoReadersCouldTakeDifferently) {
  EXPECT_EQ(*parse_request_head("POST / HTTP/1.1\r\n" + kHost + "Content-Length: 10\r\n\r\n").content_length,
            10);
  EXPECT_TRUE(
      parse_request_head("POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: Chunked\r\n\r\n").chunked);
  for (const char* length :
       {"+5", "-1", "0x10", "5 5", "5, 5", "", "1e3", "5;", "9999999999999999999", "\xc2\xb2"})
    EXPECT_EQ(with(kHost + "Content-Length: " + length + "\r\n"), 400) << length;
  EXPECT_EQ(with(kHost + "Content-Length: 5\r\nContent-Length: 5\r\n"), 400);
  EXPECT_EQ(with(kHost + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400);
  EXPECT_EQ(with(kHost + "Transfer-Encoding: chunked\r\n", "POST / HTTP/1.0"), 400);
  for (const char* coding :
       {"gzip, chunked", "chunked, chunked", "identity", "xchunked", "", "\"chunked\"", "chunked;a"})
    EXPECT_EQ(with(kHost + "Transfer-Encoding: " + coding + "\r\n"), 501) << coding;
  EXPECT_EQ(with(kHost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 501);
  EXPECT_EQ(with(kHost + "Content-Length : 5\r\n"), 400);
}

TEST(RequestHead, MalformedHeadsAreRefused) {
  EXPECT_EQ(with(kHost), 0);
  for (const std::string& headers :
       {std::string(" folded: 1\r\n"), kHost + "a: b\r\n folded\r\n", kHost + "novalue\r\n",
        kHost + ": x\r\n", kHost + "a\tb: x\r\n", kHost + "a: x\ry\r\n", kHost + "a: x\n",
        kHost + std::string("a: \0\r\n", 6), kHost + "a: \x7f\r\n"})
    EXPECT_EQ(with(headers), 400) << headers;
  for (const char* line :
       {"GET /", "GET  / HTTP/1.1", "GET / / HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ",
        "G\"T / HTTP/1.1", "GET / http/1.1", "GET / HTTP/11", "GET / XXXX/1.1", ""})
    EXPECT_EQ(with(kHost, line), 400) << line;
  EXPECT_EQ(with(kHost, "GET / HTTP/2.0"), 505);
  EXPECT_EQ(with(kHost, "GET /" + std::string(9000, 'a') + " HTTP/1.1"), 414);
  std::string many = kHost;
  for (int i = 0; i < 100; ++i) many += "a: b\r\n";
  EXPECT_EQ(with(many), 431);
  EXPECT_EQ(with(kHost + "Expect: 200-ok\r\n"), 417);
  EXPECT_EQ(with(kHost + "Expect: 100-Continue\r\n"), 0);
  for (const char* once : {"Authorization", "Content-Type", "Origin", "Idempotency-Key", "Content-Encoding"})
    EXPECT_EQ(with(kHost + once + ": a\r\n" + ascii_lower(once) + ": b\r\n"), 400) << once;
  EXPECT_EQ(status_of_head("GET / HTTP/1.1\r\nHost: a\r\n"), 400);
  EXPECT_EQ(status_of_head("GET / HTTP/1.1\r\nHost: a\r\n\r\nrest"), 400);
}

}  // namespace
}  // namespace glint
