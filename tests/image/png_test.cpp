// PNG: every colour type and depth, and every way in which a file can be damaged.
#include "odd_files.h"

namespace glint {
namespace {

Bytes picture(int bits, int colour, const Samples& rows, std::vector<Samples> extra = {}) {
  return png_file({2, 2, bits, colour, rows, std::move(extra)});
}

Samples decoded(const Bytes& file) {
  return decode_image(file, "file").pixels;
}

TEST(Png, SmallDepthsCoverTheWholeRange) {
  EXPECT_EQ(decoded(picture(1, 0, {0x80, 0x40})), (Samples{255, 255, 255, 0, 0, 0, 0, 0, 0, 255, 255, 255}));
  EXPECT_EQ(decoded(picture(2, 0, {0x70, 0x80})),
            (Samples{85, 85, 85, 255, 255, 255, 170, 170, 170, 0, 0, 0}));
  EXPECT_EQ(decoded(picture(4, 0, {0xf1, 0x20}))[3], 17);
}

TEST(Png, PaletteAndTransparencyKeepTheColourUnderneath) {
  const Samples palette = png_chunk("PLTE", {10, 20, 30, 40, 50, 60});
  const Samples clear = png_chunk("tRNS", {0});
  const Samples want = {10, 20, 30, 40, 50, 60, 40, 50, 60, 10, 20, 30};
  EXPECT_EQ(decoded(picture(1, 3, {0x40, 0x80}, {palette})), want);
  EXPECT_EQ(decoded(picture(8, 3, {0, 1, 1, 0}, {palette, clear})), want);
  EXPECT_EQ(decoded(picture(8, 4, {7, 0, 8, 255, 9, 1, 7, 7})),
            (Samples{7, 7, 7, 8, 8, 8, 9, 9, 9, 7, 7, 7}));
  EXPECT_TRUE(mentions(refusal(picture(8, 3, {0, 1, 2, 0}, {palette})), "colour number 2"));
  EXPECT_TRUE(mentions(refusal(picture(8, 3, {0, 1, 1, 0})), "palette"));
}

TEST(Png, SixteenBitsWithAlphaAreScaledNotCut) {
  Samples rows;
  for (int i = 0; i < 4; ++i) {
    for (const unsigned v : {0xffffU, 0x807fU, 0x0080U, 0U})
      rows.insert(rows.end(), {static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)});
  }
  const Samples pixels = decoded(picture(16, 6, rows));
  EXPECT_EQ(pixels[0], 255);
  EXPECT_EQ(pixels[1], 128);
  EXPECT_EQ(pixels[2], 0);
}

TEST(Png, DamageIsRefused) {
  const Bytes whole = picture(8, 2, photograph(2, 2, 3, 1));
  ASSERT_EQ(refusal(whole), "");
  for (std::size_t i = 8; i < whole.size(); ++i) {  // any byte: a checksum covers it
    Bytes broken = whole;
    broken[i] ^= std::byte{0x10};
    EXPECT_NE(refusal(broken), "") << "byte " << i;
  }
  for (std::size_t n = 1; n < whole.size(); ++n)
    EXPECT_NE(refusal(Bytes(whole.begin(), whole.begin() + static_cast<long>(n))), "") << n << " bytes";
}

TEST(Png, MissingAndSurplusRowsAreRefused) {
  EXPECT_TRUE(mentions(refusal(picture(8, 0, {1, 2})), "rows are missing"));
  EXPECT_TRUE(mentions(refusal(picture(8, 0, {1, 2, 3, 4, 5, 6})), "more rows"));
}

TEST(Png, AnAnimationHasNoOnePicture) {
  const Samples two = png_chunk("acTL", {0, 0, 0, 2, 0, 0, 0, 0}),
                one = png_chunk("acTL", {0, 0, 0, 1, 0, 0, 0, 0});
  EXPECT_TRUE(mentions(refusal(picture(8, 0, {1, 2, 3, 4}, {two})), "2 pictures"));
  EXPECT_EQ(refusal(picture(8, 0, {1, 2, 3, 4}, {one})), "");
}

TEST(Png, OrientationIsApplied) {
  const Bytes file = picture(8, 0, {1, 2, 3, 4}, {png_chunk("eXIf", exif_block(3))});
  EXPECT_EQ(decode_image_file(file, "file").orientation, 3);
  EXPECT_EQ(decoded(file), (Samples{4, 4, 4, 3, 3, 3, 2, 2, 2, 1, 1, 1}));
}

TEST(Png, AHugeHeaderOverLittleDataTakesNoMemory) {
  EXPECT_TRUE(mentions(refusal(png_file({9000, 9000, 16, 6, {1, 2, 3}, {}})), "cut off"));
  EXPECT_TRUE(mentions(refusal(png_file({20000, 9000, 8, 0, {1}, {}})), "180000000 pixels"));
  EXPECT_TRUE(mentions(refusal(png_file({100000, 1, 8, 0, {1}, {}})), "no side"));
}

TEST(Png, TwelveBitsInSixteenAreRefusedAndABrightPictureIsNot) {
  const auto grey = [](unsigned value, int colour) {
    Samples rows;
    for (int i = 0; i < 4; ++i) {
      rows.insert(rows.end(), {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
      if (colour == 4) rows.insert(rows.end(), {0xff, 0xff});
    }
    return picture(16, colour, rows);
  };
  EXPECT_TRUE(mentions(refusal(grey(4095, 0)), "12 bits"));
  EXPECT_TRUE(mentions(refusal(grey(4095, 4)), "12 bits")) << "alpha says nothing about the range";
  EXPECT_TRUE(mentions(refusal(grey(1023, 0)), "10 bits"));
  EXPECT_TRUE(mentions(refusal(grey(16383, 0)), "14 bits"));
  EXPECT_NE(refusal(grey(0, 0)), "");
  EXPECT_EQ(refusal(grey(16384, 0)), "");
}

}  // namespace
}  // namespace glint
