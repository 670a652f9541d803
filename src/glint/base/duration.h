// Spans of time as people write them: "90s", "15m", "2h", "100ms".
#pragma once

#include <string>

namespace glint {

/// Seconds, above 0. Error(kConfig) naming `field` for anything that is not a number with one of the units
/// ms, s, m, h.
double parse_seconds(const std::string& text, const std::string& field);

/// "45 s", "15 min", "2.0 h".
std::string seconds_text(double seconds);

}  // namespace glint
