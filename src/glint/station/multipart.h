// multipart/form-data (RFC 7578 over RFC 2046), read strictly from a whole body: every byte belongs to one
// part, or the form is refused, so that no part is lost and none swallows another.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace glint {

/// One field of a form. `content` points into the body.
struct FormPart {
  std::string name;     ///< never empty; UTF-8 without control characters
  std::string charset;  ///< of its Content-Type in lower case; empty when not given
  std::string_view content;
};

constexpr std::size_t kMostFormParts = 16;

/// The boundary of a Content-Type that is multipart/form-data. Refusal 400 when it has none or one that
/// RFC 2046 does not allow (1 to 70 of its characters, not ending in a space).
std::string form_boundary(std::string_view content_type);

/// The parts in the order of the body. What stands before the first and behind the last boundary line is
/// ignored; the last line needs no line end. Lines end with CRLF: the boundary after a lone LF, or as the
/// beginning of any other line, is refused, for it must not occur inside a part (RFC 2046, 5.1.1). Refusal
/// 400 says what is wrong: no closing boundary, a part without a name, an encoding other than 7bit, 8bit or
/// binary, a malformed header, too many parts.
std::vector<FormPart> parse_form(std::string_view body, std::string_view boundary);

}  // namespace glint
