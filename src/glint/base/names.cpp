#include "glint/base/names.h"

#include <fmt/format.h>

#include <cctype>

namespace glint {
namespace {

/// Length of the UTF-8 sequence at the start of `s`, 0 when it is none (Unicode 15, table 3-7).
std::size_t utf8_length(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                             : (first & 0xf0) == 0xe0         ? 3
                             : first >= 0xf0 && first <= 0xf4 ? 4
                                                              : 0;
  if (length == 0 || s.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second > 0x9f;
  const bool too_large = first == 0xf4 && second > 0x8f;
  return overlong || surrogate || too_large ? 0 : length;
}

/// True where `s` starts with \xHH.
bool is_escape(std::string_view s) {
  const auto hex = [&](std::size_t i) { return std::isxdigit(static_cast<unsigned char>(s[i])) != 0; };
  return s.size() >= 4 && s[0] == '\\' && s[1] == 'x' && hex(2) && hex(3);
}

std::string escaped(std::string_view bytes, bool controls_too) {
  std::string out;
  while (!bytes.empty()) {
    const auto first = static_cast<unsigned char>(bytes[0]);
    const std::size_t length = utf8_length(bytes);
    const bool control = first < 0x20 || first == 0x7f;
    if (length == 0 || is_escape(bytes) || (controls_too && control)) {
      out += fmt::format("\\x{:02X}", first);
      bytes.remove_prefix(1);
    } else {
      out += bytes.substr(0, length);
      bytes.remove_prefix(length);
    }
  }
  return out;
}

}  // namespace

std::string name_text(const std::filesystem::path& name) {
  return escaped(name.native(), false);
}
std::string name_line(const std::filesystem::path& name) {
  return escaped(name.native(), true);
}

std::string utf8_text(const std::string& text) {
  return is_utf8(text) ? text : name_text(text);
}

std::string name_bytes(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const bool escape = is_escape(text);
    out += escape ? static_cast<char>(std::stoi(std::string(text.substr(2, 2)), nullptr, 16)) : text[0];
    text.remove_prefix(escape ? 4 : 1);
  }
  return out;
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

}  // namespace glint
