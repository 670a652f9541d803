// Who is answered, and that the description of the interface says what is there.
#include <gtest/gtest.h>

#include <set>

#include "api_fixture.h"

namespace glint {
namespace {

using nlohmann::json;

int status_of(const std::string& answer) {
  return answer.size() > 12 ? std::atoi(answer.c_str() + 9) : 0;
}

class AccessTest : public ApiTest {
 protected:
  int get(const std::string& path, const std::string& host, const std::string& more = "") const {
    return status_of(
        raw("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n" + more + "\r\n"));
  }
};

TEST_F(AccessTest, HostsAreComparedWholeOnEveryRoute) {
  start();
  const std::string port = ":" + std::to_string(port_);
  for (const char* host :
       {"127.0.0.1", "localhost", "LOCALHOST", "localhost.", "127.0.0.2", "127.255.255.254", "[::1]"}) {
    EXPECT_EQ(get("/api/status", host + port), 200) << host;
    EXPECT_EQ(get("/api/status", host), 200) << host;
    EXPECT_EQ(get("/api/status", std::string(host) + ":9000"), 200) << host;  // a tunnel
  }
  for (const char* host : {"127.evil.example", "127.lines.test", "127.0.0.1.evil.example",
                           "localhost.evil.example", "evil.example", "10.0.0.1", "[::2]"})
    EXPECT_EQ(get("/api/status", host + port), 403) << host;
  for (const char* host : {"127.1", "0x7f.1", "2130706433", "127.0.0.1@evil.example", "", "a b", "::1"})
    EXPECT_EQ(get("/api/status", host + port), 400) << host;
  const std::string refusal = raw("GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
  EXPECT_NE(refusal.find("--host evil.example"), std::string::npos) << refusal;
  for (const char* path : {"/", "/page.js", "/api", "/health", "/ready", "/metrics", "/api/events",
                           "/api/inspections", "/api/inspections/1/image", "/nothing"})
    EXPECT_EQ(get(path, "127.evil.example"), 403) << path;
  EXPECT_EQ(
      status_of(raw("POST /api/models/rollback HTTP/1.1\r\nHost: 127.evil.example\r\nContent-Length: 0\r\n"
                    "Connection: close\r\n\r\n")),
      403);
}

TEST_F(AccessTest, TheAddressesHostCountsWhenItNamesOne) {
  start();
  EXPECT_EQ(get("http://localhost/api/status", "evil.example"), 200);
  EXPECT_EQ(get("HTTP://127.0.0.1:8750/api/status", "localhost"), 200);
  EXPECT_EQ(get("http://evil.example/api/status", "localhost"), 403);
  EXPECT_EQ(get("http://127.0.0.1.evil.example/api/status", "localhost"), 403);
}

TEST_F(AccessTest, NamesByOptionAndNothingElseOnAWildcardAddress) {
  http_options_.host = "0.0.0.0";
  http_options_.names = {"Line3.example"};
  start();
  EXPECT_EQ(get("/api/status", "line3.EXAMPLE:8750"), 200);
  EXPECT_EQ(get("/api/status", "127.0.0.1"), 200);  // the address that this connection reached
  EXPECT_EQ(get("/api/status", "line3"), 403);
  EXPECT_EQ(get("/api/status", "evil.example"), 403);
  EXPECT_EQ(get("/api/status", "192.0.2.1"), 403);
  http_options_.names = {"http://line3"};
  EXPECT_THROW(http_options_.validate(), Error);
}

TEST_F(AccessTest, ChangesFromOtherOriginsAreRefused) {
  start();
  const std::string here = "127.0.0.1:" + std::to_string(port_);
  const auto post = [&](const httplib::Headers& headers) {
    return client().Post("/api/models/rollback", headers, "", "application/json")->status;
  };
  EXPECT_EQ(post({{"Host", here}, {"Origin", "http://" + here}}), 400);  // taken: nothing to roll back
  EXPECT_EQ(post({{"Host", here}, {"Origin", "HTTP://" + here}, {"Sec-Fetch-Site", "same-origin"}}), 400);
  for (const std::string& origin :
       {std::string("http://evil.example"), std::string("null"), "http://" + here + ".evil.example",
        std::string("http://127.0.0.1:3000"), "http://localhost:" + std::to_string(port_)})
    EXPECT_EQ(post({{"Host", here}, {"Origin", origin}}), 403) << origin;
  EXPECT_EQ(post({{"Host", here}, {"Sec-Fetch-Site", "cross-site"}}), 403);
  EXPECT_EQ(post({{"Host", here}, {"Sec-Fetch-Site", "same-site"}}), 403);
}

TEST_F(AccessTest, TheDescriptionAndTheRoutesAgree) {
  start();
  const json described = json::parse(client().Get("/api")->body);
  std::set<std::string> in_text, in_program;
  for (const auto& [path, methods] : described["paths"].items()) {
    for (const auto& [method, what] : methods.items()) {
      std::string parameters;
      for (const auto& one : what.value("parameters", json::array()))
        if (one["in"] == "query") parameters += " " + one["name"].get<std::string>();
      if (path != "/api") in_text.insert((method == "get" ? "GET " : "POST ") + path + parameters);
      EXPECT_TRUE(what["responses"].contains("403")) << method << path;
      for (const char* status : {"400", "408", "413"})
        EXPECT_TRUE(method == "get" || what["responses"].contains(status)) << path << status;
    }
  }
  for (const Api::Route& route : api_->routes()) {
    std::string parameters;
    for (const std::string_view one : route.query) parameters += " " + std::string(one);
    in_program.insert(std::string(route.method) + " " + std::string(route.path) + parameters);
  }
  EXPECT_EQ(in_text, in_program);
}

TEST_F(AccessTest, EveryDescribedRouteAnswersWithADescribedStatus) {
  start();
  const std::string id = json::parse(post_image(200, "?part_id=1")->body)["id"].dump();
  const json described = json::parse(client().Get("/api")->body);
  for (const auto& [path, methods] : described["paths"].items()) {
    std::string address = path;
    if (const auto at = address.find("{id}"); at != std::string::npos) address.replace(at, 4, id);
    if (const auto at = address.find("{name}"); at != std::string::npos) address.replace(at, 6, "m");
    if (address == "/api/events") continue;  // never ends
    for (const std::string& query :
         {std::string(), std::string(path == "/api/parts" ? "?part_id=1" : "?nonsense=1")}) {
      for (const auto& [method, what] : methods.items()) {
        const auto answer = method == "get" ? client().Get(address + query)
                                            : client().Post(address + query, "{}", "application/json");
        ASSERT_TRUE(answer) << method << " " << address;
        EXPECT_NE(answer->status, 404) << method << " " << address;
        EXPECT_NE(answer->status, 405) << method << " " << address;
        EXPECT_TRUE(what["responses"].contains(std::to_string(answer->status)))
            << address << query << answer->status;
      }
    }
  }
  EXPECT_EQ(client().Post("/api/status", "", "text/plain")->status, 405);
  EXPECT_EQ(client().Get("/api/triggers")->status, 405);
}

}  // namespace
}  // namespace glint
