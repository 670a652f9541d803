// The head of an HTTP/1.1 request (RFC 9112), read strictly: what two readers could understand differently is
// refused, so that no proxy before the station and the station itself see different requests.
#pragma once

#include <string>
#include <string_view>

#include "glint/station/http_message.h"

namespace glint {

constexpr std::size_t kLongestHead = 32 * 1024;
constexpr std::size_t kLongestRequestLine = 8 * 1024;
constexpr std::size_t kMostHeaders = 100;

/// `head`: from the request line to the empty line, every line with its CRLF. What belongs to the connection
/// is left open. Refusal 400 (malformed; also: no Host or several, both lengths, a length that is no plain
/// number, a repeated header of those that may stand once), 414, 417, 431, 501, 505.
HttpRequest parse_request_head(std::string_view head);

/// Undoes percent-encoding, and with `plus` also "+" for a space. Refusal 400 naming `what` for half an
/// encoding, for a NUL and for what is not UTF-8.
std::string percent_decoded(std::string_view text, bool plus, const char* what);

/// ASCII letters only, as protocol names are compared.
std::string ascii_lower(std::string_view text);

/// RFC 9110, 5.6.2.
bool is_token(std::string_view text);

}  // namespace glint
