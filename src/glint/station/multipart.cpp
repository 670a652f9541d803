#include "glint/station/multipart.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "glint/base/names.h"
#include "glint/station/header_value.h"
#include "glint/station/http_head.h"

namespace glint {
namespace {

constexpr std::size_t kLongestBoundary = 70;
constexpr std::size_t kLongestPartHead = 8 * 1024;

[[noreturn]] void bad_form(const std::string& text) {
  throw Refusal{400, "the form: " + text};
}

/// A line that begins with "--" and the boundary.
struct BoundaryLine {
  std::size_t before;  ///< where the content before it ends: at the CRLF that belongs to the line
  std::size_t after;   ///< where the next line begins
  bool closing;
};

/// The first boundary line at or behind `from`, which is the beginning of a line.
std::optional<BoundaryLine> next_boundary(std::string_view body, const std::string& dashes,
                                          std::size_t from) {
  std::size_t at = from;
  if (body.substr(from, dashes.size()) != dashes) {
    const auto found = body.find("\n" + dashes, from > 0 ? from - 1 : 0);
    if (found == std::string_view::npos) return std::nullopt;
    at = found + 1;
  }
  BoundaryLine line{at, 0, false};
  if (at > 0) {
    if (at < 2 || body[at - 2] != '\r') bad_form("a boundary stands behind a lone LF; lines end with CRLF");
    line.before = at - 2;
  }
  at += dashes.size();
  if (body.substr(at, 2) == "--") {
    line.closing = true;
    at += 2;
  }
  at = std::min(body.find_first_not_of(" \t", at), body.size());  // RFC 2046: transport padding
  if (body.substr(at, 2) == "\r\n") {
    line.after = at + 2;
  } else if (line.closing && at == body.size()) {
    line.after = at;
  } else {
    bad_form("the boundary occurs inside a part, or its line does not end with CRLF");
  }
  return line;
}

struct PartHead {
  std::optional<std::string> disposition, type, encoding;
};

void keep(std::optional<std::string>& where, std::string_view value, const std::string& name) {
  if (where) bad_form(fmt::format("a part has the header {} twice", name));
  where = value;
}

/// Removes the headers and the empty line behind them from `part`. Lines that begin with white space go on
/// with the line before.
PartHead take_head(std::string_view& part) {
  std::vector<std::string> lines;
  std::size_t taken = 0;
  while (!part.empty()) {
    const auto end = part.find('\n');
    const bool whole = end != std::string_view::npos;  // else the part ends with its headers
    std::string_view line = part.substr(0, end);
    part.remove_prefix(whole ? end + 1 : part.size());
    if ((taken += line.size() + 1) > kLongestPartHead) bad_form("a part's headers are too long");
    if (whole) {
      if (!line.ends_with('\r')) bad_form("a part's header lines end with CRLF");
      line.remove_suffix(1);
    }
    if (line.empty()) break;
    const bool control = std::any_of(line.begin(), line.end(),
                                     [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
    if (control) bad_form("a part's headers hold control characters");
    if ((line[0] == ' ' || line[0] == '\t') && !lines.empty()) {
      lines.back() += line;
    } else {
      lines.emplace_back(line);
    }
  }
  PartHead out;
  for (const std::string& line : lines) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || !is_token(std::string_view(line).substr(0, colon)))
      bad_form("a part's header must be NAME: VALUE");
    const std::string name = ascii_lower(std::string_view(line).substr(0, colon));
    const std::string_view value = std::string_view(line).substr(colon + 1);
    if (name == "content-disposition") keep(out.disposition, value, "Content-Disposition");
    if (name == "content-type") keep(out.type, value, "Content-Type");
    if (name == "content-transfer-encoding") keep(out.encoding, value, "Content-Transfer-Encoding");
  }
  return out;
}

std::string name_of(const PartHead& head) {
  if (!head.disposition) bad_form("a part has no Content-Disposition");
  const auto disposition = parse_header_value(*head.disposition);
  if (!disposition) bad_form("a part's Content-Disposition is malformed, or has a parameter twice");
  if (disposition->value != "form-data") bad_form("a part's Content-Disposition is not form-data");
  const std::string* name = disposition->parameter("name");
  if (name == nullptr || name->empty()) bad_form("a part has no name");
  if (disposition->parameter("name*") != nullptr)
    bad_form(fmt::format("the part {} has two names", name_line(*name)));
  if (!is_utf8(*name)) bad_form("a part's name is not UTF-8");
  return *name;
}

FormPart read_part(std::string_view part) {
  const PartHead head = take_head(part);
  FormPart out{name_of(head), "", part};
  if (head.encoding) {
    const auto encoding = parse_header_value(*head.encoding);
    if (!encoding || (encoding->value != "binary" && encoding->value != "8bit" && encoding->value != "7bit"))
      bad_form(fmt::format("the part {} has a Content-Transfer-Encoding; send its bytes as they are",
                           name_line(out.name)));
  }
  if (head.type) {
    const auto type = parse_header_value(*head.type);
    if (!type) bad_form(fmt::format("the part {} has a malformed Content-Type", name_line(out.name)));
    if (type->value.starts_with("multipart/"))
      bad_form(fmt::format("the part {} is itself of several parts; give each part its own name",
                           name_line(out.name)));
    if (const std::string* charset = type->parameter("charset")) out.charset = ascii_lower(*charset);
  }
  return out;
}

}  // namespace

std::string form_boundary(std::string_view content_type) {
  const auto type = parse_header_value(content_type);
  const std::string* boundary = type ? type->parameter("boundary") : nullptr;
  if (boundary == nullptr) bad_form("its Content-Type needs one boundary=...");
  const bool allowed = std::all_of(boundary->begin(), boundary->end(), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("'()+_,-./:=? ").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (!allowed || boundary->empty() || boundary->size() > kLongestBoundary || boundary->ends_with(' '))
    bad_form("its boundary must be 1 to 70 letters, digits or '()+_,-./:=?");
  return *boundary;
}

std::vector<FormPart> parse_form(std::string_view body, std::string_view boundary) {
  const std::string dashes = "--" + std::string(boundary);
  std::vector<FormPart> parts;
  auto line = next_boundary(body, dashes, 0);
  if (!line) bad_form("the boundary of its Content-Type does not occur in the body");
  while (!line->closing) {
    const auto next = next_boundary(body, dashes, line->after);
    if (!next) bad_form("the closing boundary is missing; the body was cut");
    if (parts.size() == kMostFormParts) bad_form(fmt::format("more than {} parts", kMostFormParts));
    // A part of nothing but its boundary line has its end before its beginning.
    const std::size_t size = next->before > line->after ? next->before - line->after : 0;
    parts.push_back(read_part(body.substr(line->after, size)));
    line = next;
  }
  if (next_boundary(body, dashes, line->after)) bad_form("something follows the closing boundary");
  return parts;
}

}  // namespace glint
