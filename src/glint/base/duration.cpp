#include "glint/base/duration.h"

#include <charconv>
#include <cmath>

#include "glint/base/error.h"

namespace glint {

double parse_seconds(const std::string& text, const std::string& field) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  const std::string unit(rest, end);
  const double seconds = unit == "ms"  ? value / 1000
                         : unit == "s" ? value
                         : unit == "m" ? 60 * value
                         : unit == "h" ? 3600 * value
                                       : 0;
  if (error != std::errc() || !std::isfinite(seconds) || !(seconds > 0))
    fail(ErrorCode::kConfig, "{} = '{}': give a number above 0 with its unit, such as 90s, 15m, 2h or 100ms",
         field, text);
  return seconds;
}

std::string seconds_text(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace glint
