#include "glint/station/multipart.h"

#include <gtest/gtest.h>

#include <random>

#include "glint/station/header_value.h"
#include "glint/station/http_message.h"

namespace glint {
namespace {

/// "name=content" of each part, or the refusal's text.
std::string read_form(const std::string& body, const std::string& boundary = "B") {
  try {
    std::string out;
    for (const FormPart& part : parse_form(body, boundary))
      out += part.name + "=" + std::string(part.content) + "|";
    return out;
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.status, 400);
    return refusal.text;
  }
}

std::string one(const std::string& headers, const std::string& content = "x") {
  return read_form("--B\r\n" + headers + "\r\n\r\n" + content + "\r\n--B--\r\n");
}

bool refused(const std::string& answer, const std::string& because) {
  return answer.starts_with("the form: ") && answer.find(because) != std::string::npos;
}

TEST(Form, PartsAsRealClientsWriteThem) {
  for (const char* headers :
       {"Content-Disposition: form-data; name=\"image\"; filename=\"a.png\"",  // browsers, curl
        "Content-Disposition: form-data; name=image; filename=a.png; filename*=utf-8''a.png",  // .NET
        "Content-Type: image/png\r\nContent-Disposition: form-data; filename=\"a b.png\"; name=\"image\"",
        "CONTENT-DISPOSITION:FORM-DATA;NAME=image", "content-disposition: form-data ; name = \"image\" ;",
        "Content-Disposition: form-data; name=\"im\\age\"",
        "Content-Disposition: form-data;\r\n\tname=\"image\"",
        "Content-Disposition: form-data; name=\"image\"; filename=\"a\\\"; name=\\\"b.png\"",
        "Content-Disposition: form-data; name=\"image\"; filename==?utf-8?B?YQ==?=; size=3",
        "Content-Disposition: form-data; filename=\"name=part_id; \xe9.png\"; name=image",
        "Content-Disposition: form-data; name=\"image\"\r\nContent-Transfer-Encoding: "
        "BINARY\r\nContent-Length: 99"})
    EXPECT_EQ(one(headers), "image=x|") << headers;
  EXPECT_EQ(one("Content-Disposition: form-data; name=\"a\"", ""), "a=|");
  EXPECT_EQ(read_form("--B\r\nContent-Disposition: form-data; name=a\r\n\r\n--B--"), "a=|");
  EXPECT_EQ(one("Content-Disposition: form-data; name=a", "\r\n-\r\n--\r\n--A\r\n"),
            "a=\r\n-\r\n--\r\n--A\r\n|");
}

TEST(Form, BoundaryLinesAsTheyMayBe) {
  const std::string part = "\r\nContent-Disposition: form-data; name=a\r\n\r\n1",
                    two = "\r\nContent-Disposition: form-data; name=b\r\n\r\n2";
  EXPECT_EQ(read_form("--B" + part + "\r\n--B" + two + "\r\n--B--"), "a=1|b=2|");
  EXPECT_EQ(read_form("--B" + part + "\r\n--B" + two + "\r\n--B--\r\n"), "a=1|b=2|");
  EXPECT_EQ(read_form("--B \t " + part + "\r\n--B  " + two + "\r\n--B-- \t"), "a=1|b=2|");
  EXPECT_EQ(read_form("preamble\r\nmore\r\n--B" + part + "\r\n--B--\r\nepilogue\r\n"), "a=1|");
  EXPECT_EQ(read_form("\r\n--B" + part + "\r\n--B--"), "a=1|");
  EXPECT_EQ(read_form("--B--"), "");
  EXPECT_EQ(read_form("--a'()+_,-./:=?Z" + part + "\r\n--a'()+_,-./:=?Z--", "a'()+_,-./:=?Z"), "a=1|");
}

TEST(Form, NoPartIsLostOrSwallowed) {
  const std::string part = "\r\nContent-Disposition: form-data; name=a\r\n\r\n1";
  EXPECT_TRUE(refused(read_form(""), "does not occur"));
  EXPECT_TRUE(refused(read_form("--C" + part + "\r\n--C--"), "does not occur"));
  EXPECT_TRUE(refused(read_form("--B" + part), "closing boundary"));
  EXPECT_TRUE(refused(read_form("--B" + part + "\r\n--B\r\n"), "closing boundary"));
  EXPECT_TRUE(refused(read_form("--B" + part + "\n--B--"), "lone LF"));
  EXPECT_TRUE(refused(read_form("--B" + part + "\n--B\nContent-Disposition: form-data; name=b\n\n2\r\n--B--"),
                      "lone LF"));
  EXPECT_TRUE(refused(read_form("--B\nContent-Disposition: form-data; name=a\n\n1\n--B--\n"), "CRLF"));
  EXPECT_TRUE(refused(read_form("--B" + part + "\r\n--Bx\r\n--B--"), "inside a part"));
  EXPECT_TRUE(refused(read_form("--B" + part + "\r\n--B--x"), "inside a part"));
  EXPECT_TRUE(
      refused(read_form("--B" + part + "\r\n--B--\r\n--B" + part + "\r\n--B--"), "follows the closing"));
  EXPECT_TRUE(refused(read_form("--B\r\nContent-Disposition: form-data; name=a\n\n1\r\n--B--"), "CRLF"));
  std::string many;
  for (std::size_t i = 0; i <= kMostFormParts; ++i) many += "--B" + part + "\r\n";
  EXPECT_TRUE(refused(read_form(many + "--B--"), "more than 16"));
}

TEST(Form, PartsWithoutAUsableNameOrEncodingAreRefused) {
  EXPECT_TRUE(refused(read_form("--B\r\n\r\nx\r\n--B--"), "no Content-Disposition"));
  EXPECT_TRUE(refused(read_form("--B\r\n--B--"), "no Content-Disposition"));
  for (const char* value :
       {"form-data", "form-data; filename=a", "form-data; name=\"\"", "form-data; name*=utf-8''image"})
    EXPECT_TRUE(refused(one(std::string("Content-Disposition: ") + value), "no name")) << value;
  for (const char* value :
       {"form-data; name=a; name=b", "form-data; name=\"a", "form-data name=a",
        "form-data; name=", "form-data; =a", "; name=a", "form-data; name=\"a\"b", "form-data; name"})
    EXPECT_TRUE(refused(one(std::string("Content-Disposition: ") + value), "malformed")) << value;
  EXPECT_TRUE(refused(one("Content-Disposition: form-data; name=a; name*=utf-8''b"), "two names"));
  EXPECT_TRUE(refused(one("Content-Disposition: attachment; name=a"), "not form-data"));
  EXPECT_TRUE(refused(one("Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b"),
                      "twice"));
  EXPECT_TRUE(refused(one("Content-Disposition: form-data; name=\xe9"), "UTF-8"));
  EXPECT_TRUE(refused(one("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64"),
                      "part a has"));
  EXPECT_TRUE(refused(
      one("Content-Disposition: form-data; name=a\r\nContent-Type: multipart/mixed; boundary=C"), "several"));
  EXPECT_TRUE(refused(one("Content-Disposition: form-data; name=a\r\nnocolon"), "NAME: VALUE"));
  EXPECT_TRUE(
      refused(one("Content-Disposition: form-data; name=a\r\nX: " + std::string(9000, 'x')), "too long"));
}

TEST(Form, TheBoundaryOfAContentType) {
  EXPECT_EQ(form_boundary("multipart/form-data; boundary=XX"), "XX");
  EXPECT_EQ(form_boundary("Multipart/Form-Data; charset=utf-8; BOUNDARY=\"a b?\""), "a b?");
  EXPECT_EQ(form_boundary("multipart/form-data;boundary=\"XX\"; charset=utf-8"), "XX");
  EXPECT_EQ(form_boundary("multipart/form-data; boundary=----=_Part_0_1.2"), "----=_Part_0_1.2");
  EXPECT_EQ(form_boundary("multipart/form-data; boundary=" + std::string(70, 'x')).size(), 70U);
  for (const std::string& type :
       {std::string("multipart/form-data"), std::string("multipart/form-data; boundary"),
        std::string("multipart/form-data; boundary="), std::string("multipart/form-data; boundary=\"\""),
        std::string("multipart/form-data; boundary=\"a \""), std::string("multipart/form-data; boundary=a@b"),
        std::string("multipart/form-data; boundary=a; boundary=b"),
        "multipart/form-data; boundary=" + std::string(71, 'x')})
    EXPECT_THROW(form_boundary(type), Refusal) << type;
}

// Any bytes between boundary lines come back as they were, beginning and end included.
TEST(Form, RandomContentsAreKeptByteForByte) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string body, wanted;
    const int parts = 1 + static_cast<int>(random() % 5);
    for (int p = 0; p < parts; ++p) {
      std::string content;
      for (std::size_t n = random() % 30; n > 0; --n) content += "\r\n-B x"[random() % 6];
      if (content.find("\n--B") != std::string::npos || content.starts_with("--B")) content = "";
      const std::string name = "n" + std::to_string(p);
      body += "--B\r\nContent-Disposition: form-data; name=" + name + "\r\n\r\n" + content + "\r\n";
      wanted += name + "=" + content + "|";
    }
    EXPECT_EQ(read_form(body + "--B--"), wanted);
  }
}

}  // namespace
}  // namespace glint
