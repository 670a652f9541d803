#include "glint/base/clock.h"

#include <gtest/gtest.h>

namespace glint {
namespace {

TEST(Clock, TimesRoundTripThroughText) {
  EXPECT_EQ(iso_time(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(iso_time(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(iso_time(1'795'558'912'740'235), "2026-11-24T22:21:52.740235Z");
  EXPECT_EQ(parse_iso_time("2026-11-24T22:21:52.740235Z"), 1'795'558'912'740'235);
  EXPECT_EQ(parse_iso_time("2026-11-24T22:21"), parse_iso_time("2026-11-24T22:21:00Z"));
  EXPECT_EQ(parse_iso_time("1970-01-02"), 86'400'000'000);
}

TEST(Clock, RefusesWhatIsNoTime) {
  for (const char* text : {"", "yesterday", "2026-13-01", "2026-11-24T25:00", "2026-11-24T10",
                           "2026-11-24 10:00", "2026-11-24T10:00:99", "2026-11-24T10:00:00+01:00"}) {
    EXPECT_FALSE(parse_iso_time(text)) << text;
  }
}

TEST(Clock, MidnightIsAtOrBeforeAndWithinADay) {
  const std::int64_t now = 1'795'558'912'740'235, midnight = local_midnight(now);
  EXPECT_LE(midnight, now);
  EXPECT_GT(midnight + 25LL * 3600 * 1'000'000, now);
}

}  // namespace
}  // namespace glint
