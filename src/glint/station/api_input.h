// What requests bring to the interface: texts, numbers, JSON fields and images, each checked, and refused
// with the name of the field that is wrong.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "glint/base/files.h"
#include "glint/station/http_message.h"

namespace glint {

constexpr std::size_t kLongestId = 200, kLongestReason = 1000;

/// `text` when it is UTF-8 of at most `longest` bytes without control characters. A name in other bytes comes
/// as base/names.h writes it. Refusal 400.
std::string short_text(const std::string& field, const std::string& text, std::size_t longest = kLongestId);
/// Refusal 400 unless it is all digits.
std::int64_t whole_number(const std::string& field, const std::string& text);
/// Microseconds since 1970. Refusal 400.
std::int64_t time_parameter(const std::string& field, const std::string& text);
/// "true" or "false". Refusal 400.
bool truth(const std::string& field, const std::string& text);

/// The parameter of this name; empty when absent. Route tables refuse repeated ones.
std::string query_text(const HttpRequest& request, std::string_view name);

/// The fields of a JSON object of texts; none for an absent or empty body. Refusal 400 for fields other than
/// `known`, repeated ones and other types.
std::map<std::string, std::string> read_fields(HttpRequest& request,
                                               std::initializer_list<std::string_view> known);

/// An image and the texts that came with it.
struct Upload {
  Bytes image;  ///< never empty
  std::string part_id, view;
};

/// The image as the body itself, or as the part `image` of a form; part_id and view from the address or the
/// form. Refusal 400 (unknown, nameless or repeated fields, no image), 411, 413, 415.
Upload read_upload(HttpRequest& request);

}  // namespace glint
