#include "glint/base/csv.h"

#include <cmath>

#include "glint/base/error.h"

namespace glint {

std::string csv_field(std::string_view text) {
  const bool guarded = !text.empty() && std::string_view("=+-@\t\r'").find(text[0]) != std::string_view::npos;
  const bool quoted = text.find_first_of(",\"\r\n") != std::string_view::npos;
  std::string out = quoted ? "\"" : "";
  if (guarded) out += '\'';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return quoted ? out + '"' : out;
}

std::string csv_number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "";
}

std::vector<std::vector<std::string>> parse_csv(std::string_view text, const std::string& name) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row(1);
  bool quoted = false, was_quoted = false;
  const auto end_row = [&] {
    if (row.size() > 1 || !row[0].empty() || was_quoted) rows.push_back(std::move(row));
    row.assign(1, "");
    was_quoted = false;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') {
        row.back() += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        row.back() += text[++i];
      } else {
        quoted = false;
      }
    } else if (c == '"' && row.back().empty()) {
      quoted = was_quoted = true;
    } else if (c == ',') {
      row.emplace_back();
    } else if (c == '\n') {
      end_row();
    } else if (c != '\r' || i + 1 == text.size() || text[i + 1] != '\n') {
      row.back() += c;
    }
  }
  if (quoted)
    fail(ErrorCode::kBadInput, "{}: row {} has a quote that is never closed", name, rows.size() + 1);
  end_row();
  return rows;
}

}  // namespace glint
