// A header's value with parameters, such as Content-Type and Content-Disposition have it, as clients really
// write it: in any order and case, quoted or not.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace glint {

struct HeaderValue {
  std::string value;                                            ///< before the first ";", in lower case
  std::vector<std::pair<std::string, std::string>> parameters;  ///< names in lower case

  /// Null when absent. No parameter is there twice.
  const std::string* parameter(std::string_view name) const;
};

/// value *( ";" name "=" ( unquoted / quoted-string ) ), an empty parameter allowed. Unquoted values may hold
/// everything but white space, quotation marks, backslashes and ";". Nothing when it is malformed, or when a
/// parameter is there twice.
std::optional<HeaderValue> parse_header_value(std::string_view text);

}  // namespace glint
