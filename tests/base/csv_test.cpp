#include "glint/base/csv.h"

#include <gtest/gtest.h>

#include <limits>

#include "glint/base/error.h"

namespace glint {
namespace {

using Rows = std::vector<std::vector<std::string>>;

TEST(Csv, FieldsReadBack) {
  for (const std::string text : {"plain", "a,b", "q\"r", "two\nlines", "", " ", "cr\rhere"})
    EXPECT_EQ(parse_csv(csv_field(text) + ",end\r\n", "test"), (Rows{{text, "end"}})) << text;
}

TEST(Csv, FormulasAreGuardedSoThatOneApostropheTakenAwayGivesTheText) {
  for (const std::string text : {"=1+1", "-x.png", "@a", "'quoted", "+1", "\tb"})
    EXPECT_EQ(parse_csv(csv_field(text), "test"), (Rows{{"'" + text}})) << text;
}

TEST(Csv, ReadsWhatOtherProgramsWrite) {
  EXPECT_EQ(parse_csv("\xef\xbb\xbf"
                      "a,b\r\n\r\n\"x\"\"y\",\r\nlast,\"\"",
                      "test"),
            (Rows{{"a", "b"}, {"x\"y", ""}, {"last", ""}}));
  EXPECT_EQ(parse_csv("", "test"), Rows{});
  EXPECT_THROW(parse_csv("a,\"b\nc", "test"), Error);
}

TEST(Csv, NumbersReadBackExactly) {
  for (const double value : {0.1, 1e300, -3.0, 1.0 / 3}) EXPECT_EQ(std::stod(csv_number(value)), value);
  EXPECT_EQ(csv_number(std::numeric_limits<double>::quiet_NaN()), "");
}

}  // namespace
}  // namespace glint
