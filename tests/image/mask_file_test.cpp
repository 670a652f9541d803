// Masks in every way in which programs write them: the defect is found, or the mask is refused with the
// values that were seen.
#include "glint/image/mask_file.h"

#include "odd_files.h"

namespace glint {
namespace {

constexpr int kSide = 24;

/// 1 in a block of 6 x 5 pixels that is not in the middle.
bool in_defect(int x, int y) {
  return x >= 4 && x < 10 && y >= 12 && y < 17;
}

/// Rows of `pixel(inside)`'s samples.
Samples drawing(const std::function<Samples(int x, int y)>& pixel) {
  Samples out;
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x) {
      const Samples p = pixel(x, y);
      out.insert(out.end(), p.begin(), p.end());
    }
  return out;
}

Bytes two_values(int bits, int colour, const Samples& normal, const Samples& defect,
                 std::vector<Samples> extra = {}) {
  return png_file({kSide, kSide, bits, colour,
                   drawing([&](int x, int y) { return in_defect(x, y) ? defect : normal; }),
                   std::move(extra)});
}

bool is_the_defect(const MaskFile& file) {
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x)
      if ((file.mask.pixels[static_cast<std::size_t>(y) * kSide + x] == 1) != in_defect(x, y)) return false;
  return true;
}

std::string notices(const MaskFile& file) {
  std::string text;
  for (const MaskNotice& n : file.notices) text += n.what + " [" + n.detail + "] ";
  return text;
}

MaskFile read(const Bytes& file, MaskRule rule = MaskRule::kAboveHalf) {
  return decode_mask_file(file, "mask.png", rule);
}

std::string mask_refusal(const Bytes& file) {
  try {
    const MaskFile mask = read(file);
    return "";
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).find("mask.png"), 0U);
    return e.what();
  }
}

TEST(MaskFile, BlackAndWhiteIsReadWithoutAWord) {
  Samples bits;
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; x += 8) {
      unsigned byte = 0;
      for (int k = 0; k < 8; ++k) byte = (byte << 1) | (in_defect(x + k, y) ? 1U : 0U);
      bits.push_back(static_cast<std::uint8_t>(byte));
    }
  const Samples palette = png_chunk("PLTE", {255, 255, 255, 0, 0, 0});
  TiffSpec white_is_zero{kSide, kSide, 1};
  white_is_zero.photometric = PHOTOMETRIC_MINISWHITE;
  for (const std::uint8_t b : bits) {
    if (white_is_zero.chunks.empty()) white_is_zero.chunks.emplace_back();
    white_is_zero.chunks[0].push_back(static_cast<std::uint8_t>(~b));
  }
  for (const Bytes& file :
       {two_values(8, 0, {0}, {255}), two_values(8, 2, {0, 0, 0}, {255, 255, 255}),
        two_values(16, 0, {0, 0}, {255, 255}), two_values(8, 6, {0, 0, 0, 255}, {255, 255, 255, 255}),
        png_file({kSide, kSide, 1, 0, bits, {}}), two_values(8, 3, {1}, {0}, {palette}),
        tiff_file(white_is_zero)}) {
    const MaskFile mask = read(file);
    EXPECT_TRUE(is_the_defect(mask));
    EXPECT_EQ(notices(mask), "");
    EXPECT_EQ(mask.grey_share, 0);
  }
}

TEST(MaskFile, AnyOtherTwoValuesMarkTheDefectWithANotice) {
  const Samples voc = png_chunk("PLTE", {0, 0, 0, 128, 0, 0});
  const Samples ramp = png_chunk("PLTE", {0, 0, 0, 1, 1, 1});
  for (const Bytes& file :
       {two_values(8, 0, {0}, {1}), two_values(8, 0, {0}, {100}), two_values(16, 0, {0, 0}, {0, 255}),
        two_values(16, 0, {0, 0}, {0, 1}), two_values(8, 3, {0}, {1}, {voc}),
        two_values(8, 3, {0}, {1}, {ramp}), two_values(8, 2, {0, 0, 0}, {0, 0, 90})}) {
    const MaskFile mask = read(file);
    EXPECT_TRUE(is_the_defect(mask)) << notices(mask);
    EXPECT_TRUE(mentions(notices(mask), "two values"));
  }
  EXPECT_TRUE(mentions(notices(read(two_values(8, 0, {0}, {1}))), "values 0, 1"));
}

TEST(MaskFile, OneBrightColourIsWhite) {
  for (const Samples& colour : {Samples{255, 0, 0}, Samples{0, 255, 0}, Samples{255, 0, 255}})
    EXPECT_TRUE(is_the_defect(read(two_values(8, 2, {0, 0, 0}, colour))));
}

TEST(MaskFile, TransparencyMarksTheDefectWhenItVaries) {
  for (const Bytes& file :
       {two_values(8, 6, {255, 255, 255, 0}, {255, 255, 255, 255}),
        two_values(8, 6, {0, 0, 0, 0}, {255, 0, 0, 255}),
        two_values(8, 6, {255, 255, 255, 0}, {0, 0, 0, 255}), two_values(8, 4, {0, 0}, {0, 128}),
        two_values(8, 0, {0}, {255}, {png_chunk("tRNS", {0, 0})})}) {
    const MaskFile mask = read(file);
    EXPECT_TRUE(is_the_defect(mask)) << notices(mask);
    EXPECT_TRUE(mentions(notices(mask), "opaque"));
  }
  const Bytes both =
      png_file({kSide,
                kSide,
                8,
                4,
                drawing([](int x, int y) {
                  const auto colour = static_cast<std::uint8_t>(in_defect(x, y) ? 255 : 0);
                  return Samples{colour, static_cast<std::uint8_t>(y < 20 && x < 12 && y > 8 ? 255 : 0)};
                }),
                {}});
  EXPECT_TRUE(mentions(mask_refusal(both), "transparency"));
}

TEST(MaskFile, NumberedDefectsAllCount) {
  for (const auto& numbers :
       {Samples{1, 2, 3}, Samples{50, 100, 200}, Samples{128, 255, 30}, Samples{100, 90, 80}}) {
    const MaskFile mask =
        read(png_file({kSide,
                       kSide,
                       8,
                       0,
                       drawing([&](int x, int y) {
                         return Samples{static_cast<std::uint8_t>(in_defect(x, y)   ? numbers[(x - 4) / 2]
                                                                  : x > 18 && y < 5 ? numbers[0]
                                                                                    : 0)};
                       }),
                       {}}));
    EXPECT_TRUE(mentions(notices(mask), "number the defects"));
    EXPECT_EQ(std::count(mask.mask.pixels.begin(), mask.mask.pixels.end(), 1), 30 + 5 * 5);
  }
}

TEST(MaskFile, ARegionOfAnotherGreyIsNotLostBesideWhite) {
  // thin lines have no flat area, yet a cut at half would take the darker one away
  const MaskFile mask =
      read(png_file({kSide,
                     kSide,
                     8,
                     0,
                     drawing([](int x, int y) {
                       return Samples{static_cast<std::uint8_t>(x == 3 ? 255 : x == 20 && y > 3 ? 90 : 0)};
                     }),
                     {}}));
  EXPECT_EQ(mask.mask.pixels[10 * kSide + 20], 1);
  EXPECT_TRUE(mentions(notices(mask), "number the defects"));
}

TEST(MaskFile, SmoothOutlinesAndLossyTracesAreCutAtHalf) {
  const MaskFile soft = read(png_file({kSide,
                                       kSide,
                                       8,
                                       0,
                                       drawing([](int x, int y) {
                                         if (in_defect(x, y)) return Samples{255};
                                         const bool near = in_defect(x - 1, y) || in_defect(x + 1, y);
                                         return Samples{static_cast<std::uint8_t>(near ? 60 + 3 * y : 0)};
                                       }),
                                       {}}));
  EXPECT_TRUE(is_the_defect(soft));
  EXPECT_GT(soft.grey_share, 0);
  EXPECT_TRUE(mentions(notices(soft), "cut at half"));

  JpegSpec spec;
  spec.width = spec.height = kSide;
  spec.components = 1;
  spec.quality = 80;
  spec.pixels =
      drawing([](int x, int y) { return Samples{static_cast<std::uint8_t>(in_defect(x, y) ? 255 : 0)}; });
  EXPECT_TRUE(is_the_defect(read(jpeg_file(spec))));
  for (std::uint8_t& v : spec.pixels) v = static_cast<std::uint8_t>(v / 255 * 20);  // a label in a lossy file
  EXPECT_TRUE(mentions(mask_refusal(jpeg_file(spec)), "JPEG"));
}

TEST(MaskFile, WhatHasNoOneMeaningIsRefusedWithItsValues) {
  EXPECT_TRUE(mentions(mask_refusal(two_values(8, 0, {1}, {2})), "values 1, 2"));
  EXPECT_TRUE(mentions(mask_refusal(two_values(8, 0, {7}, {7})), "value 7"));
  EXPECT_TRUE(mentions(mask_refusal(two_values(8, 2, {255, 255, 255}, {255, 0, 0})), "value 255"));
  const Bytes photo =
      png_file({kSide,
                kSide,
                8,
                0,
                drawing([](int x, int y) {
                  return Samples{static_cast<std::uint8_t>(x == 0 ? 0 : (x * 37 + y * 11) % 256)};
                }),
                {}});
  EXPECT_TRUE(mentions(mask_refusal(photo), "photograph"));
  const Bytes unclear =
      png_file({kSide,
                kSide,
                8,
                0,
                drawing([](int x, int y) {
                  return Samples{static_cast<std::uint8_t>(in_defect(x, y) ? 255 : x > 14 ? 1 : 0)};
                }),
                {}});
  EXPECT_TRUE(mentions(mask_refusal(unclear), "values 0, 1, 255"));
}

TEST(MaskFile, BlackOnWhiteIsRefusedAndALargeDefectIsNot) {
  for (const Bytes& file : {two_values(8, 0, {255}, {0}), two_values(8, 0, {1}, {0}),
                            two_values(16, 0, {255, 255}, {0, 0}), two_values(8, 4, {0, 255}, {0, 0})})
    EXPECT_TRUE(mentions(mask_refusal(file), "inverted"));
  const MaskFile large = read(png_file({kSide,
                                        kSide,
                                        8,
                                        0,
                                        drawing([](int x, int y) {
                                          const bool inside = x > 1 && x < 22 && y > 1 && y < 22;
                                          return Samples{static_cast<std::uint8_t>(inside ? 255 : 0)};
                                        }),
                                        {}}));
  EXPECT_TRUE(mentions(notices(large), "more than half"));
}

TEST(MaskFile, PublishedSetsThatNumberTheirDefectsKeepTheirRule) {
  EXPECT_TRUE(is_the_defect(read(two_values(8, 0, {0}, {3}), MaskRule::kNonZero)));
  EXPECT_EQ(notices(read(two_values(8, 0, {0}, {3}), MaskRule::kNonZero)), "");
  EXPECT_TRUE(mentions(notices(read(two_values(8, 0, {1}, {3}), MaskRule::kNonZero)), "more than half"));
}

TEST(MaskFile, AnEmptyMaskIsEmptyAndOrientationIsApplied) {
  const MaskFile empty = read(two_values(8, 0, {0}, {0}));
  EXPECT_EQ(std::count(empty.mask.pixels.begin(), empty.mask.pixels.end(), 1), 0);
  const MaskFile turned = read(two_values(8, 0, {0}, {255}, {png_chunk("eXIf", exif_block(3))}));
  EXPECT_EQ(turned.orientation, 3);
  EXPECT_EQ(turned.mask.pixels[static_cast<std::size_t>(kSide - 1 - 13) * kSide + kSide - 1 - 5], 1);
}

}  // namespace
}  // namespace glint
