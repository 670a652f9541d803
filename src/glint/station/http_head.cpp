#include "glint/station/http_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "glint/base/names.h"

namespace glint {
namespace {

/// Headers that mean something here and whose second value nobody could choose between.
constexpr std::array<std::string_view, 9> kOnce = {"authorization", "content-encoding", "content-length",
                                                   "content-type",  "expect",           "host",
                                                   "origin",        "idempotency-key",  "sec-fetch-site"};

bool is_token_character(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

void read_query(std::string_view text, HttpRequest& request) {
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    const std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (one.empty()) continue;
    const auto equals = std::min(one.find('='), one.size());
    request.query.emplace_back(
        percent_decoded(one.substr(0, equals), true, "the address"),
        percent_decoded(one.substr(std::min(equals + 1, one.size())), true, "the address"));
  }
}

/// Origin form or absolute form; then its authority counts instead of Host (RFC 9112, 3.2.2).
void read_target(std::string_view target, HttpRequest& request) {
  for (const unsigned char c : target) {
    if (c <= 0x20 || c >= 0x7f || c == '#')
      bad_request("the address holds characters that it must percent-encode");
  }
  if (!target.starts_with('/')) {
    const auto end = target.find("://");
    const std::string scheme = ascii_lower(target.substr(0, std::min(end, target.size())));
    if (end == std::string_view::npos || (scheme != "http" && scheme != "https"))
      bad_request("the address must be a path or start with http:// or https://");
    target.remove_prefix(end + 3);
    const auto slash = std::min(target.find_first_of("/?"), target.size());
    request.host = parse_authority(target.substr(0, slash));
    if (!request.host) bad_request("the address names no valid host");
    target.remove_prefix(slash);
  }
  const auto query = std::min(target.find('?'), target.size());
  request.path = query == 0 ? "/" : std::string(target.substr(0, query));
  percent_decoded(request.path, false, "the address");
  read_query(target.substr(std::min(query + 1, target.size())), request);
}

void read_request_line(std::string_view line, HttpRequest& request) {
  if (line.size() > kLongestRequestLine) throw Refusal{414, "the address is too long"};
  const auto first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last ||
      line.substr(first + 1, last - first - 1).find(' ') != std::string_view::npos)
    bad_request("the request line must be METHOD ADDRESS HTTP/1.1");
  request.method = line.substr(0, first);
  if (!is_token(request.method)) bad_request("the request line must start with a method");
  const std::string_view version = line.substr(last + 1);
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.')
    bad_request("the request line must end with HTTP/1.1");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") throw Refusal{505, "only HTTP/1.1 and 1.0 are spoken"};
  request.http_1_0 = version == "HTTP/1.0";
  read_target(line.substr(first + 1, last - first - 1), request);
}

void read_header(std::string_view line, HttpRequest& request) {
  if (request.headers.size() >= kMostHeaders) throw Refusal{431, "too many headers"};
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    bad_request("a header must be NAME: VALUE on one line");
  const std::string_view value = trimmed(line.substr(colon + 1));
  for (const unsigned char c : value) {
    if ((c < 0x20 && c != '\t') || c == 0x7f) bad_request("a header holds control characters");
  }
  std::string name = ascii_lower(line.substr(0, colon));
  if (std::find(kOnce.begin(), kOnce.end(), name) != kOnce.end() && request.has_header(name))
    bad_request(fmt::format("the header {} is there twice", name));
  request.headers.emplace_back(std::move(name), value);
}

/// RFC 9112, 6.3, without what it allows for old senders.
void read_length(HttpRequest& request) {
  if (request.has_header("transfer-encoding")) {
    if (request.has_header("content-length"))
      bad_request("Content-Length and Transfer-Encoding exclude each other");
    if (request.http_1_0) bad_request("HTTP/1.0 has no Transfer-Encoding");
    std::string encodings;
    for (const auto& [name, value] : request.headers) {
      if (name != "transfer-encoding") continue;
      if (!encodings.empty()) encodings += ',';
      encodings += ascii_lower(value);
    }
    if (encodings != "chunked") throw Refusal{501, "the only Transfer-Encoding accepted is chunked"};
    request.chunked = true;
  } else if (request.has_header("content-length")) {
    const std::string text = request.header("content-length");
    std::int64_t length = 0;
    const bool digits = !text.empty() && text.size() <= 18 &&
                        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) bad_request("Content-Length is not a plain number");
    std::from_chars(text.data(), text.data() + text.size(), length);
    request.content_length = length;
  }
}

bool lists(const std::string& value, std::string_view wanted) {
  std::string_view rest = value;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(','), rest.size());
    if (ascii_lower(trimmed(rest.substr(0, end))) == wanted) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

void read_connection(HttpRequest& request) {
  request.keep_alive = !request.http_1_0;
  for (const auto& [name, value] : request.headers) {
    if (name != "connection") continue;
    if (lists(value, "close")) request.keep_alive = false;
    if (request.http_1_0 && lists(value, "keep-alive")) request.keep_alive = true;
  }
  if (request.has_header("expect")) {
    if (ascii_lower(request.header("expect")) != "100-continue")
      throw Refusal{417, "the only Expect understood is 100-continue"};
    request.expects_continue = !request.http_1_0;
  }
}

}  // namespace

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_token_character(static_cast<unsigned char>(c));
  });
}

std::string percent_decoded(std::string_view text, bool plus, const char* what) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0)
        bad_request(fmt::format("{}: a % must be followed by two hexadecimal digits", what));
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus && text[i] == '+' ? ' ' : text[i];
    }
  }
  if (out.find('\0') != std::string::npos) bad_request(fmt::format("{}: holds a zero byte", what));
  if (!is_utf8(out)) bad_request(fmt::format("{}: is not UTF-8", what));
  return out;
}

HttpRequest parse_request_head(std::string_view head) {
  HttpRequest request;
  bool first = true, ended = false;
  while (!head.empty() && !ended) {
    const auto end = head.find('\n');
    if (end == std::string_view::npos || end == 0 || head[end - 1] != '\r')
      bad_request("every line of a request's head ends with CRLF");
    const std::string_view line = head.substr(0, end - 1);
    head.remove_prefix(end + 1);
    if (first) {
      read_request_line(line, request);
    } else if (line.empty()) {
      ended = true;
    } else {
      read_header(line, request);
    }
    first = false;
  }
  if (!ended || !head.empty()) bad_request("a request's head ends with an empty line");
  if (request.has_header("host")) {
    const auto host = parse_authority(request.header("host"));
    if (!host) bad_request("the header Host names no valid host");
    if (!request.host) request.host = host;
  } else if (!request.http_1_0) {
    bad_request("the header Host is missing");
  }
  read_length(request);
  read_connection(request);
  return request;
}

}  // namespace glint
