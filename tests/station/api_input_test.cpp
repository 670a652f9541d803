// Images, texts and numbers as clients send them to the interface.
#include "glint/station/api_input.h"

#include <gtest/gtest.h>

#include "api_fixture.h"

namespace glint {
namespace {

using nlohmann::json;

const std::string kImage = "Content-Disposition: form-data; name=\"image\"; filename=\"a.png\"";

class InputTest : public ApiTest {
 protected:
  struct Part {
    std::string headers, content;
  };
  static Part field(const std::string& name, const std::string& value) {
    return {"Content-Disposition: form-data; name=\"" + name + "\"", value};
  }
  static std::string form(const std::vector<Part>& parts, const std::string& end = "\r\n") {
    std::string out;
    for (const Part& part : parts) out += "--XX\r\n" + part.headers + "\r\n\r\n" + part.content + "\r\n";
    return out + "--XX--" + end;
  }
  /// Status and JSON.
  std::pair<int, json> post(const std::string& body,
                            const std::string& type = "multipart/form-data; boundary=XX",
                            const std::string& path = "/api/inspections") const {
    const auto answer = client().Post(path, body, type.c_str());
    if (!answer) return {0, {}};
    return {answer->status, json::parse(answer->body)};
  }
  std::string error(const std::string& body, const std::string& path = "/api/inspections") const {
    const auto [status, answer] = post(body, "multipart/form-data; boundary=XX", path);
    return std::to_string(status) + " " + answer.value("error", answer.dump());
  }
  std::string refusal_of_get(const std::string& path) const {
    const auto answer = client().Get(path);
    return std::to_string(answer->status) + " " + json::parse(answer->body).value("error", "");
  }
  int inspections() const {
    return static_cast<int>(
        json::parse(client().Get("/api/inspections?limit=500")->body)["inspections"].size());
  }
  const std::string good_ = text_of(grey_png(20)), bad_ = text_of(grey_png(200));
};

TEST_F(InputTest, FormsAsRealClientsSendThem) {
  start();
  const std::string dotnet =
      "Content-Disposition: form-data; name=image; filename=a.png; filename*=utf-8''a.png";
  const Part id = {"Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=part_id",
                   "P7"};
  for (const auto& [body, type] : std::vector<std::pair<std::string, std::string>>{
           {form({{dotnet, good_}, id}), "multipart/form-data; boundary=\"XX\""},
           {form({id, {kImage, good_}}, ""), "multipart/form-data; boundary=XX"},
           {form({{kImage, good_}, id}), "Multipart/Form-Data; charset=utf-8; Boundary=XX"},
           {form({{"content-type: image/png\r\n" + kImage, good_}, id, field("view", "")}),
            "multipart/form-data; boundary=XX; charset=utf-8"},
           {"before\r\n" + form({{"Content-Disposition: form-data; name=\"image\"", good_}, id}, "\r\nafter"),
            "multipart/form-data;boundary=XX"}}) {
    const auto [status, answer] = post(body, type);
    EXPECT_EQ(status, 200) << body;
    EXPECT_EQ(answer["verdict"], "OK") << answer;
    EXPECT_EQ(answer["part_id"], "P7");
  }
}

TEST_F(InputTest, WhatAFormCannotMeanIsRefusedAndNothingIsInspected) {
  start();
  const Part image = {kImage, good_};
  EXPECT_NE(error(form({image, {kImage, bad_}})).find("400 the form has the field image twice"),
            std::string::npos);
  EXPECT_NE(error(form({image, field("part_id", "a"), field("part_id", "b")})).find("field part_id twice"),
            std::string::npos);
  EXPECT_NE(error(form({image, field("partid", "a")})).find("400 the form has a field partid; known are"),
            std::string::npos);
  EXPECT_NE(error(form({image, field("Image", "a")})).find("field Image"), std::string::npos);
  EXPECT_NE(
      error(form({image, {"Content-Disposition: form-data", "a"}})).find("400 the form: a part has no name"),
      std::string::npos);
  EXPECT_NE(error(form({field("part_id", "a")})).find("400 no image"), std::string::npos);
  EXPECT_NE(error(form({{kImage, ""}})).find("400 no image"), std::string::npos);
  EXPECT_NE(error("--XX--").find("400 no image"), std::string::npos);
  EXPECT_NE(error(form({image, field("part_id", "b")}), "/api/inspections?part_id=a")
                .find("400 part_id: given twice"),
            std::string::npos);
  EXPECT_NE(error(form({image}).substr(0, 90)).find("400 the form: the closing boundary"), std::string::npos);
  EXPECT_NE(error(form({{kImage + "\r\nContent-Transfer-Encoding: base64", good_}}))
                .find("400 the form: the part image"),
            std::string::npos);
  EXPECT_EQ(post(form({image}), "multipart/form-data").first, 400);
  EXPECT_EQ(post(form({image}), "multipart/form-data; boundary=XX; boundary=YY").first, 400);
  EXPECT_EQ(post(form({image}), "multipart/mixed; boundary=XX").first, 415);
  EXPECT_EQ(inspections(), 0);
}

TEST_F(InputTest, TextsAreUtf8WhereverTheyComeFrom) {
  start();
  const Part image = {kImage, good_};
  EXPECT_NE(error(form({image, field("part_id", "T\xe9il")})).find("400 part_id: is not UTF-8"),
            std::string::npos);
  EXPECT_EQ(error(form({image, field("part_id", "a\r\nb")})).substr(0, 4), "400 ");
  EXPECT_EQ(error(form({image, field("view", std::string("a\0b", 3))})).substr(0, 4), "400 ");
  EXPECT_EQ(error(form({image,
                        {"Content-Type: text/plain; charset=ISO-8859-1\r\n" + field("view", "").headers,
                         "\xc3\xa4"}}))
                .substr(0, 4),
            "400 ");
  EXPECT_EQ(
      post(form({image,
                 {"Content-Type: text/plain; charset=ISO-8859-1\r\n" + field("view", "").headers, "top"}}))
          .first,
      200);
  const auto [status, answer] = post(form({image, field("part_id", "Teil \xc3\xa4 \\xE9")}));
  EXPECT_EQ(status, 200);
  EXPECT_EQ(answer["part_id"], "Teil \xc3\xa4 \\xE9");
  EXPECT_EQ(client().Get("/api/parts?part_id=Teil%20%C3%A4%20%5CxE9")->status, 200);
  for (const char* path :
       {"/api/parts?part_id=%ff", "/api/parts?part_id=%c0%80", "/api/parts?part_id=%ed%a0%80",
        "/api/inspections?source=%ff", "/api/inspections?part_id=%zz", "/api/models/%ff/load"})
    EXPECT_NE(raw(std::string("GET ") + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                  .find(" 400 "),
              std::string::npos)
        << path;
  EXPECT_EQ(post_image(20, "?part_id=%E9")->status, 400);
  EXPECT_EQ(post_image(20, "", {{"Idempotency-Key", "\xe9"}})->status, 400);
  EXPECT_EQ(post("{\"part_id\":\"\xe9\"}", "application/json", "/api/triggers").first, 400);
}

TEST_F(InputTest, APartIsAskedForByItsName) {
  start();
  post_image(20);  // belongs to no part
  for (const char* path : {"/api/parts", "/api/parts?part_id=", "/api/parts?part_id"})
    EXPECT_EQ(refusal_of_get(path).substr(0, 12), "400 part_id:") << path;
  EXPECT_EQ(client().Get("/api/parts?part_id=x")->status, 404);
}

TEST_F(InputTest, UnknownRepeatedAndEmptyParametersAreNamed) {
  start();
  EXPECT_NE(refusal_of_get("/api/inspections?verdit=NOK").find("400 there is no parameter verdit here"),
            std::string::npos);
  EXPECT_NE(refusal_of_get("/api/inspections?limit=5&limit=6").find("400 the parameter limit is there twice"),
            std::string::npos);
  EXPECT_NE(refusal_of_get("/api/status?x=1").find("400 there is no parameter x here"), std::string::npos);
  EXPECT_NE(refusal_of_get("/api/inspections?part_id=").find("400 part_id: is empty"), std::string::npos);
  for (const char* query : {"limit=5x", "limit=+5", "limit=0x5", "limit=5.0", "limit=-1", "limit=%205",
                            "before=1e3", "reviewed=yes", "since=5", "verdict=ok,nok"})
    EXPECT_EQ(refusal_of_get(std::string("/api/inspections?") + query).substr(0, 4), "400 ") << query;
  EXPECT_EQ(client().Get("/api/inspections?reviewed=false&limit=5")->status, 200);
  EXPECT_EQ(client().Get("/health?probe=1")->status, 200);
  EXPECT_EQ(client().Get("/metrics?probe=1")->status, 200);
  EXPECT_EQ(post_image(20, "?partid=a")->status, 400);
  EXPECT_EQ(post_image(20, "?part_id=a&part_id=b")->status, 400);
}

TEST_F(InputTest, JsonFieldsAreKnownTextsAndThereOnce) {
  start();
  const std::string id = json::parse(post_image(200)->body)["id"].dump();
  const auto review = [&](const std::string& body) {
    return post(body, "application/json", "/api/inspections/" + id + "/reviews").first;
  };
  for (const char* body : {R"({"verdict":"OK","verdict":"NOK"})", R"({"verdict":"OK","Reason":"x"})",
                           R"({"verdict":1})", R"({"verdict":null})", R"({"verdict":["OK"]})", R"(["OK"])",
                           R"("OK")", R"({"verdict":"OK"} x)", R"({"reason":"x"})", "", "{bad",
                           R"({"verdict":"OK","reason":"a\u0000b"})", R"({"verdict":"OK","by":"\ud800"})"})
    EXPECT_EQ(review(body), 400) << body;
  EXPECT_EQ(review(R"({"verdict":"OK","reason":"{\"verdict\":\"NOK\"}","by":"eva"})"), 200);
  EXPECT_EQ(post(R"({"part":"x"})", "application/json", "/api/triggers").first, 400);
  EXPECT_EQ(post(R"({"force":"yes"})", "application/json", "/api/models/m/load").first, 400);
  EXPECT_EQ(post("{}", "application/json", "/api/models/m/load").first, 200);
  EXPECT_EQ(review("{\"verdict\":\"OK\",\"reason\":\"" + std::string(70000, 'x') + "\"}"), 413);
}

TEST_F(InputTest, RawBodiesAreImagesWhateverTheyAreCalled) {
  start();
  for (const char* type : {"image/png", "application/octet-stream", "application/x-www-form-urlencoded"})
    EXPECT_EQ(post(good_, type).second["verdict"], "OK") << type;
  EXPECT_EQ(post("hello", "text/plain").second["verdict"], "NO DECISION");
  EXPECT_EQ(post(form({field("image", "hello")})).second["verdict"], "NO DECISION");
  EXPECT_EQ(post(good_, "image/png; a=1; a=2").first, 400);
}

}  // namespace
}  // namespace glint
