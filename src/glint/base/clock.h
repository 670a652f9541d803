// Wall-clock time as one number, and as text. Not for measuring durations: wall clocks jump.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace glint {

/// Microseconds since 1970-01-01T00:00:00Z.
std::int64_t unix_micros();

/// "2026-11-24T21:34:51.123456Z".
std::string iso_time(std::int64_t unix_us);

/// Reads "2026-11-24", "2026-11-24T21:34", "...:51", "...:51.5", each with or without Z, always as UTC.
std::optional<std::int64_t> parse_iso_time(std::string_view text);

/// The last local midnight at or before `unix_us`.
std::int64_t local_midnight(std::int64_t unix_us);

}  // namespace glint
