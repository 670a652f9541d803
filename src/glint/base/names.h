// Names of files as text. A file name is a string of bytes; what leaves the program (JSON, CSV, journal,
// lists, reports) is UTF-8. One rule, which can be undone, so that two names never become one:
//   a byte that is not part of valid UTF-8 is written \xHH (two upper-case hexadecimal digits);
//   a backslash that stands before "xHH" in the name itself is written \x5C.
// A name in valid UTF-8 without "\xHH" in it stays as it is. docs/names.md tells users.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace glint {

/// A name's bytes as UTF-8 text. A string converts to a path byte for byte.
std::string name_text(const std::filesystem::path& name);

/// The same, with control characters (below U+0020, and U+007F) written \xHH too: for one line of a list, a
/// log or a terminal.
std::string name_line(const std::filesystem::path& name);

/// Text of unknown origin as UTF-8: as it is when it is valid, else as name_text writes it.
std::string utf8_text(const std::string& text);

/// The bytes that name_text or name_line wrote: each \xHH becomes its byte.
std::string name_bytes(std::string_view text);

/// True for well-formed UTF-8 (Unicode 15, table 3-7: no overlong forms, no surrogates).
bool is_utf8(std::string_view bytes);

}  // namespace glint
