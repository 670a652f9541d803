#include "glint/station/authority.h"

#include <gtest/gtest.h>

#include "glint/base/error.h"

namespace glint {
namespace {

std::string read(std::string_view text) {
  const auto a = parse_authority(text);
  return a ? a->host + (a->port ? " " + std::to_string(*a->port) : "") : "none";
}

TEST(Authority, HostsAndPortsInTheirOnePlainForm) {
  EXPECT_EQ(read("127.0.0.1:8750"), "127.0.0.1 8750");
  EXPECT_EQ(read("LOCALHOST:1"), "localhost 1");
  EXPECT_EQ(read("localhost."), "localhost");
  EXPECT_EQ(read("line-3.Example.com.:65535"), "line-3.example.com 65535");
  EXPECT_EQ(read("host:"), "host");
  EXPECT_EQ(read("my_host"), "my_host");
  EXPECT_EQ(read("[::1]:8750"), "::1 8750");
  EXPECT_EQ(read("[0:0:0:0:0:0:0:1]"), "::1");
  EXPECT_EQ(read("[FE80::1]"), "fe80::1");
  EXPECT_EQ(read("[::ffff:127.0.0.1]"), "127.0.0.1");
  EXPECT_EQ(read("127.lines.test"), "127.lines.test");
  EXPECT_EQ(read("127.0.0.1.evil.example"), "127.0.0.1.evil.example");
}

TEST(Authority, WhatIsNoHost) {
  for (const char* text : {"",
                           ":",
                           ":80",
                           "a b",
                           "a/b",
                           "user@host",
                           "host:0",
                           "host:65536",
                           "host:+80",
                           "host:8a",
                           "host:-1",
                           "host:80:90",
                           "127.1",
                           "2130706433",
                           "0x7f.1",
                           "0x7f000001",
                           "0177.0.0.1",
                           "127.0.0.1.",
                           "1.2.3.4.5",
                           "256.0.0.1",
                           "::1",
                           "[::1",
                           "[::1]80",
                           "[::1]x",
                           "[fe80::1%25eth0]",
                           "[127.0.0.1]",
                           "[v1.x]",
                           "a..b",
                           ".a",
                           "a..",
                           "%6c",
                           "h\xc3\xb6st",
                           "localhost,evil"})
    EXPECT_EQ(read(text), "none") << text;
  EXPECT_EQ(read(std::string(64, 'a')), "none");
  EXPECT_EQ(read(std::string("a\0b", 3)), "none");
}

TEST(Authority, AddressesAsTheSystemAndOptionsWriteThem) {
  EXPECT_EQ(parse_host("::1")->host, "::1");
  EXPECT_EQ(parse_host("[::1]")->host, "::1");
  EXPECT_EQ(parse_host("::ffff:10.0.0.7")->host, "10.0.0.7");
  EXPECT_EQ(parse_host("Line.Example")->host, "line.example");
  for (const char* text : {"line:80", "line:", "http://line", "", "[::1]:80"})
    EXPECT_FALSE(parse_host(text)) << text;
}

TEST(Authority, LoopbackIsDecidedByWholeAddresses) {
  for (const char* text : {"127.0.0.1", "127.0.0.2", "127.255.255.254", "localhost", "LocalHost.", "[::1]"})
    EXPECT_TRUE(is_loopback(*parse_authority(text))) << text;
  for (const char* text : {"127.evil.example", "127.0.0.1.evil.example", "localhost.evil.example",
                           "128.0.0.1", "[::2]", "[127::1]", "127-0-0-1.evil.example", "localhost1"})
    EXPECT_FALSE(is_loopback(*parse_authority(text))) << text;
}

TEST(HostRule, LoopbackTheAddressReachedTheBoundHostAndGivenNames) {
  const HostRule rule("0.0.0.0", {"Line3.Example", "10.9.8.7", "fd00::5"});
  const auto answers = [&](const char* host) { return rule.answers(*parse_authority(host), "192.168.1.5"); };
  for (const char* host :
       {"127.0.0.1", "localhost:9000", "192.168.1.5:8750", "LINE3.example.", "10.9.8.7:1", "[fd00:0::5]"})
    EXPECT_TRUE(answers(host)) << host;
  for (const char* host :
       {"192.168.1.50", "192.168.1.5.evil.example", "line3", "evil.example", "[::2]", "10.9.8.8"})
    EXPECT_FALSE(answers(host)) << host;
  EXPECT_TRUE(HostRule("::", {}).answers(*parse_authority("192.168.1.5"), "::ffff:192.168.1.5"));
  EXPECT_TRUE(HostRule("line3", {}).answers(*parse_authority("line3:8750"), "10.0.0.1"));
  for (const char* bad : {"http://line", "line:80", "127.1", "*", ""})
    EXPECT_THROW(HostRule("127.0.0.1", {bad}), Error) << bad;
}

TEST(SameOrigin, ComparesHostPortAndWhatTlsAllows) {
  const auto same = [](const char* origin, const char* host, bool secure = false) {
    return same_origin(origin, *parse_authority(host), secure);
  };
  EXPECT_TRUE(same("http://localhost:8750", "LOCALHOST:8750"));
  EXPECT_TRUE(same("http://[::1]:8750", "[0::1]:8750"));
  EXPECT_TRUE(same("https://line.example", "line.example"));
  EXPECT_TRUE(same("https://line.example", "line.example:443"));
  EXPECT_TRUE(same("http://line.example:80", "line.example"));
  EXPECT_TRUE(same("https://line.example", "line.example", true));
  EXPECT_FALSE(same("http://line.example", "line.example", true));
  EXPECT_FALSE(same("http://localhost:3000", "localhost:8750"));
  EXPECT_FALSE(same("http://127.0.0.1:8750", "localhost:8750"));
  EXPECT_FALSE(same("http://localhost:8750.evil.example", "localhost:8750"));
  for (const char* origin :
       {"null", "", "localhost:8750", "file://", "ftp://localhost:8750", "http://localhost:8750/"})
    EXPECT_FALSE(same(origin, "localhost:8750")) << origin;
}

}  // namespace
}  // namespace glint
