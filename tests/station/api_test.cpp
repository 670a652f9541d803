#include "glint/station/api.h"

#include <gtest/gtest.h>

#include "api_fixture.h"
#include "image/png_bytes.h"

namespace glint {
namespace {

using nlohmann::json;

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
  const std::uint32_t checksum = crc32_of(Samples(bomb.begin() + 12, bomb.begin() + 29));
  for (int k = 0; k < 4; ++k) bomb[29 + k] = static_cast<char>(checksum >> (24 - 8 * k));
  const auto answer = client().Post("/api/inspections", bomb, "image/png");
  EXPECT_NE(json::parse(answer->body)["reason"].get<std::string>().find("60000x60000 are 3600000000 pixels"),
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

TEST_F(ApiTest, NoPathFromARequestReachesTheFileSystem) {
  start();
  for (const char* path : {"/../../etc/passwd", "/..%2f..%2fetc/passwd", "/page.css/../../j.db", "/j.db",
                           "//etc/passwd", "/api/inspections/..%2f1/image", "/%2e%2e/j.db"}) {
    const std::string answer =
        raw(std::string("GET ") + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.1 400")) << path << answer;
  }
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

TEST(ReadToken, TakesTheFirstLineAndRefusesShortOnes) {
  TemporaryFolder folder;
  write_text(folder.path() / "t", "0123456789abcdef\nmore\n");
  EXPECT_EQ(read_token(folder.path() / "t"), "0123456789abcdef");
  write_text(folder.path() / "t", "short\n");
  EXPECT_THROW(read_token(folder.path() / "t"), Error);
}

}  // namespace
}  // namespace glint
