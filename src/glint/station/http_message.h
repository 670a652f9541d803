// A request and its answer, as the server reads and writes them and the interface (api.h) sees them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "glint/station/authority.h"

namespace glint {

class RequestBody;

/// An answer other than 200, thrown by whoever finds that a request cannot be served.
struct Refusal {
  int status;
  std::string text;  ///< a sentence for the client
  int retry_after_s = 0;
};
/// The request itself is at fault.
[[noreturn]] inline void bad_request(std::string text) {
  throw Refusal{400, std::move(text)};
}

using HttpFields = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;
  std::string path;               ///< as sent, without the query; starts with "/"
  HttpFields query;               ///< decoded, UTF-8, in the order of the address
  HttpFields headers;             ///< names in lower case, values without the white space around them
  std::optional<Authority> host;  ///< nothing only for HTTP/1.0 without a Host header
  bool http_1_0 = false;
  bool keep_alive = true;
  std::optional<std::int64_t> content_length;
  bool chunked = false;
  bool expects_continue = false;

  // Of the connection:
  std::string local_address;    ///< that it was made to, without port
  bool secure = false;          ///< by TLS
  RequestBody* body = nullptr;  ///< not owned; lives as long as the request is served

  /// The first value of a header, its name in lower case; empty when absent.
  std::string header(std::string_view name) const;
  bool has_header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  HttpFields headers;
  std::string body;
  /// When set, pieces of an answer without a known end instead of `body`; nothing ends it.
  std::function<std::optional<std::string>()> stream;

  /// Replaces a header of this name.
  void set_header(std::string_view name, std::string value);
  void set_content(std::string content, const std::string& type);
  /// {"error": text}, and Retry-After when the refusal has it.
  void refuse(const Refusal& refusal);
};

}  // namespace glint
