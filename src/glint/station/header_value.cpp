#include "glint/station/header_value.h"

#include <algorithm>

#include "glint/station/http_head.h"

namespace glint {
namespace {

void skip_space(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

/// Takes what stands before any of `ends`.
std::string_view take_until(std::string_view& text, const char* ends) {
  const std::string_view taken = text.substr(0, std::min(text.find_first_of(ends), text.size()));
  text.remove_prefix(taken.size());
  return taken;
}

/// After the opening quotation mark; a backslash makes the next character itself.
std::optional<std::string> take_quoted(std::string_view& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return out;
    }
    if (text[i] == '\\' && ++i == text.size()) break;
    out += text[i];
  }
  return std::nullopt;
}

}  // namespace

const std::string* HeaderValue::parameter(std::string_view name) const {
  for (const auto& [known, text] : parameters) {
    if (known == name) return &text;
  }
  return nullptr;
}

std::optional<HeaderValue> parse_header_value(std::string_view text) {
  HeaderValue out;
  skip_space(text);
  out.value = ascii_lower(take_until(text, " \t;"));
  if (out.value.empty()) return std::nullopt;
  while (true) {
    skip_space(text);
    if (text.empty()) return out;
    if (text[0] != ';') return std::nullopt;
    text.remove_prefix(1);
    skip_space(text);
    if (text.empty() || text[0] == ';') continue;
    const std::string name = ascii_lower(take_until(text, " \t;=\""));
    skip_space(text);
    if (!is_token(name) || text.empty() || text[0] != '=') return std::nullopt;
    text.remove_prefix(1);
    skip_space(text);
    std::optional<std::string> value;
    if (text.starts_with('"')) {
      text.remove_prefix(1);
      value = take_quoted(text);
    } else {
      value = std::string(take_until(text, " \t;\"\\"));
      if (value->empty()) return std::nullopt;
    }
    if (!value || out.parameter(name) != nullptr) return std::nullopt;
    out.parameters.emplace_back(name, std::move(*value));
  }
}

}  // namespace glint
