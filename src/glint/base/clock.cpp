#include "glint/base/clock.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <ctime>
#include <regex>

namespace glint {
namespace {

constexpr std::int64_t kMicros = 1'000'000;

/// Rounded towards the past, also before 1970.
std::time_t whole_seconds(std::int64_t unix_us) {
  return static_cast<std::time_t>(unix_us >= 0 ? unix_us / kMicros : (unix_us - kMicros + 1) / kMicros);
}

}  // namespace

std::int64_t unix_micros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string iso_time(std::int64_t unix_us) {
  const std::time_t seconds = whole_seconds(unix_us);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, unix_us - seconds * kMicros);
}

std::optional<std::int64_t> parse_iso_time(std::string_view text) {
  if (text.ends_with('Z')) text.remove_suffix(1);
  static const std::regex kForm(
      "([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2}(?:[.][0-9]{1,9})?))?)?");
  std::match_results<std::string_view::const_iterator> parts;
  if (text.size() > 40 || !std::regex_match(text.begin(), text.end(), parts, kForm)) return std::nullopt;
  const auto whole = [&](int i) { return parts[i].matched ? std::stoi(parts[i].str()) : 0; };
  const int year = whole(1), month = whole(2), day = whole(3), hour = whole(4), minute = whole(5);
  const double second = parts[6].matched ? std::stod(parts[6].str()) : 0;
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second >= 61)
    return std::nullopt;
  std::tm utc{};
  utc.tm_year = year - 1900;
  utc.tm_mon = month - 1;
  utc.tm_mday = day;
  utc.tm_hour = hour;
  utc.tm_min = minute;
  return static_cast<std::int64_t>(timegm(&utc)) * kMicros + std::llround(second * kMicros);
}

std::int64_t local_midnight(std::int64_t unix_us) {
  const std::time_t seconds = whole_seconds(unix_us);
  std::tm local{};
  localtime_r(&seconds, &local);
  local.tm_hour = local.tm_min = local.tm_sec = 0;
  local.tm_isdst = -1;
  return static_cast<std::int64_t>(std::mktime(&local)) * kMicros;
}

}  // namespace glint
