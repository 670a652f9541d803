// Spans of time as text.
#include "glint/base/duration.h"

#include <gtest/gtest.h>

#include "glint/base/error.h"

namespace glint {
namespace {

TEST(Duration, UnitsAreRead) {
  EXPECT_DOUBLE_EQ(parse_seconds("90s", "--budget"), 90);
  EXPECT_DOUBLE_EQ(parse_seconds("15m", "--budget"), 900);
  EXPECT_DOUBLE_EQ(parse_seconds("1.5h", "--budget"), 5400);
  EXPECT_DOUBLE_EQ(parse_seconds("100ms", "--latency"), 0.1);
}

TEST(Duration, EverythingElseIsRefusedByName) {
  for (const char* text : {"", "15", "m", "-3m", "0s", "nan s", "15 m", "15min", "1e999h", "15m "}) {
    try {
      parse_seconds(text, "--budget");
      FAIL() << text;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("--budget"), std::string::npos);
    }
  }
}

TEST(Duration, IsShownInAFittingUnit) {
  EXPECT_EQ(seconds_text(45), "45 s");
  EXPECT_EQ(seconds_text(900), "15 min");
  EXPECT_EQ(seconds_text(7200), "2.0 h");
}

}  // namespace
}  // namespace glint
