#include "glint/base/names.h"

#include <gtest/gtest.h>

#include <set>

#include "glint/base/random.h"

namespace glint {
namespace {

TEST(Names, ValidTextStaysAsItIs) {
  for (const char* name :
       {"a.png", "M\xc3\xbcller #1 [2],'x'\".png", "\xe6\xad\xa3.png", "50%.png", "a\\b\\x.png"})
    EXPECT_EQ(name_text(name), name);
  EXPECT_EQ(name_text("two\nlines"), "two\nlines");
}

TEST(Names, OtherBytesAreWrittenInHexadecimal) {
  EXPECT_EQ(name_text("M\xfcller"), "M\\xFCller");
  EXPECT_EQ(name_text("\xc0\xaf"), "\\xC0\\xAF");           // overlong
  EXPECT_EQ(name_text("\xed\xa0\x80"), "\\xED\\xA0\\x80");  // surrogate
  EXPECT_EQ(name_text("a\\xFCb"), "a\\x5CxFCb");
  EXPECT_EQ(name_line("two\nlines\x7f"), "two\\x0Alines\\x7F");
}

TEST(Names, AnyBytesComeBackAndNoTwoNamesBecomeOne) {
  Rng rng(3, "names");
  std::set<std::string> names, texts;
  for (int i = 0; i < 20000; ++i) {
    std::string name;
    static constexpr std::string_view kLetters = "\\xFCfc5a\n\xc3\xbc\xfc\xe2";
    for (std::uint64_t n = rng.bits() % 9; n > 0; --n) name += kLetters[rng.bits() % kLetters.size()];
    EXPECT_EQ(name_bytes(name_text(name)), name);
    EXPECT_EQ(name_bytes(name_line(name)), name);
    EXPECT_TRUE(is_utf8(name_text(name)));
    names.insert(name);
    texts.insert(name_text(name));
  }
  EXPECT_EQ(names.size(), texts.size());
}

}  // namespace
}  // namespace glint
