#include "glint/station/api_input.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "glint/base/clock.h"
#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/station/header_value.h"
#include "glint/station/http_connection.h"
#include "glint/station/multipart.h"

namespace glint {
namespace {

using nlohmann::json;

constexpr std::size_t kSmallBody = 64 * 1024;
constexpr std::size_t kLongestEcho = 40;  ///< of a wrong value in an answer

std::string echo(const std::string& text) {
  return name_line(text.substr(0, kLongestEcho));
}

/// A form's text field in the bytes of its charset.
std::string form_text(const FormPart& part) {
  const bool ascii = std::all_of(part.content.begin(), part.content.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!ascii && !part.charset.empty() && part.charset != "utf-8")
    bad_request(fmt::format("{}: its charset is {}; send UTF-8", part.name, echo(part.charset)));
  return std::string(part.content);
}

std::string_view text_of(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// From the address, or from the form, not from both.
void take_text(std::string& to, const FormPart& part) {
  const std::string text = short_text(part.name, form_text(part));
  if (!to.empty() && !text.empty())
    bad_request(fmt::format("{}: given twice, in the address and in the form", part.name));
  to = to.empty() ? text : to;
}

/// The upload's body is a form; it becomes the image alone.
void take_form(Upload& upload, const std::string& content_type) {
  const std::string boundary = form_boundary(content_type);
  std::string_view image;
  std::set<std::string> seen;
  for (const FormPart& part : parse_form(text_of(upload.image), boundary)) {
    if (part.name != "image" && part.name != "part_id" && part.name != "view") {
      bad_request(fmt::format("the form has a field {}; known are image, part_id and view", echo(part.name)));
    }
    if (!seen.insert(part.name).second)
      bad_request(fmt::format("the form has the field {} twice", part.name));
    if (part.name == "image") {
      image = part.content;
    } else {
      take_text(part.name == "view" ? upload.view : upload.part_id, part);
    }
  }
  const auto begin = image.empty() ? 0 : image.data() - text_of(upload.image).data();
  upload.image.erase(upload.image.begin() + begin + std::ssize(image), upload.image.end());
  upload.image.erase(upload.image.begin(), upload.image.begin() + begin);
}

Bytes read_bytes(RequestBody& body) {
  Bytes out;
  out.reserve(body.expected());
  std::array<char, 16384> piece;
  while (const std::size_t got = body.read(piece)) {
    const auto bytes = std::as_bytes(std::span(piece).first(got));
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  return out;
}

}  // namespace

std::string short_text(const std::string& field, const std::string& text, std::size_t longest) {
  if (text.size() > longest)
    bad_request(fmt::format("{}: {} bytes, at most {} are accepted", field, text.size(), longest));
  if (!is_utf8(text)) bad_request(fmt::format("{}: is not UTF-8; write other bytes as \\xHH", field));
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    bad_request(fmt::format("{}: control characters are not accepted", field));
  return text;
}

std::int64_t whole_number(const std::string& field, const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    bad_request(fmt::format("{} = {}: give a whole number", field, echo(text)));
  return value;
}

std::int64_t time_parameter(const std::string& field, const std::string& text) {
  const auto time = parse_iso_time(text);
  if (!time) bad_request(fmt::format("{} = {}: give a time as 2026-11-24T21:00:00Z", field, echo(text)));
  return *time;
}

bool truth(const std::string& field, const std::string& text) {
  if (text != "true" && text != "false")
    bad_request(fmt::format("{} = {}: give true or false", field, echo(text)));
  return text == "true";
}

std::string query_text(const HttpRequest& request, std::string_view name) {
  for (const auto& [known, value] : request.query) {
    if (known == name) return short_text(known, value);
  }
  return {};
}

std::map<std::string, std::string> read_fields(HttpRequest& request,
                                               std::initializer_list<std::string_view> known) {
  const std::string text = request.body->read_all(kSmallBody);
  std::map<std::string, std::string> out;
  if (text.empty()) return out;
  std::set<std::string> seen;
  const auto once = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::key && depth == 1 && !seen.insert(parsed.get<std::string>()).second)
      bad_request(fmt::format("the body has the field {} twice", echo(parsed.get<std::string>())));
    return true;
  };
  json body;
  try {
    body = json::parse(text, once);
  } catch (const json::exception& e) {
    bad_request(std::string("the body's JSON: ") + e.what());
  }
  if (!body.is_object()) bad_request("the body is not a JSON object");
  for (const auto& [name, value] : body.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      bad_request(known.size() == 0 ? fmt::format("the body has a field {}; none is known here", echo(name))
                                    : fmt::format("the body has a field {}; known are {}", echo(name),
                                                  fmt::join(known, ", ")));
    }
    if (!value.is_string()) bad_request(fmt::format("{}: give a text", name));
    out[name] = value.get<std::string>();
  }
  return out;
}

Upload read_upload(HttpRequest& request) {
  if (!request.body->announced()) throw Refusal{411, "send the image as the body, with its Content-Length"};
  const std::string type = request.header("content-type");
  const auto parsed = parse_header_value(type);
  if (!type.empty() && !parsed) bad_request("Content-Type is malformed, or has a parameter twice");
  const bool form = parsed && parsed->value == "multipart/form-data";
  if (parsed && parsed->value.starts_with("multipart/") && !form)
    throw Refusal{415, "of the multipart types only multipart/form-data is accepted"};
  if (form) form_boundary(type);  // a form that cannot be read is refused before it has come
  Upload out;
  out.part_id = query_text(request, "part_id");
  out.view = query_text(request, "view");
  out.image = read_bytes(*request.body);
  if (form) take_form(out, type);
  if (out.image.empty())
    bad_request("no image: send its bytes as the body, or a multipart form with a part named image");
  return out;
}

}  // namespace glint
