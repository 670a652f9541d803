#include "glint/base/clock.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>

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
  const std::string copy(text.substr(0, 40));
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, used = 0;
  double second = 0;
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3) return std::nullopt;
  if (static_cast<std::size_t>(used) != copy.size()) {
    int date = used;
    if (std::sscanf(copy.c_str() + date, "T%2d:%2d%n", &hour, &minute, &used) != 2) return std::nullopt;
    date += used;
    if (static_cast<std::size_t>(date) != copy.size() &&
        (std::sscanf(copy.c_str() + date, ":%9lf%n", &second, &used) != 1 ||
         static_cast<std::size_t>(date + used) != copy.size()))
      return std::nullopt;
  }
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      !(second >= 0 && second < 61))
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
