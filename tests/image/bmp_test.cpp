// BMP: headers of Windows and OS/2, depths, channel masks and row orders.
#include "odd_files.h"

namespace glint {
namespace {

struct BmpSpec {
  std::uint32_t header = 40;
  int width = 2, height = 2;  ///< a negative height: rows from the top
  std::uint32_t bits = 24, compression = 0, colours = 0;
  Samples after_header;  ///< masks, palette
  Samples pixels;
  int offset_error = 0;
};

Bytes bmp_file(const BmpSpec& s) {
  const std::size_t at = 14 + s.header + s.after_header.size();
  ByteWriter out(false);
  out.put("BM").put(at + s.pixels.size(), 4).put(0, 4).put(at + static_cast<std::size_t>(s.offset_error), 4);
  out.put(s.header, 4);
  if (s.header == 12) {
    out.put(static_cast<unsigned>(s.width), 2)
        .put(static_cast<unsigned>(s.height), 2)
        .put(1, 2)
        .put(s.bits, 2);
  } else {
    out.put(static_cast<unsigned>(s.width), 4)
        .put(static_cast<unsigned>(s.height), 4)
        .put(1, 2)
        .put(s.bits, 2);
    if (s.header > 16) out.put(s.compression, 4).put(0, 4).put(0, 8).put(s.colours, 4).put(0, 4);
    while (out.data.size() < 14 + s.header) out.put(0, 1);
  }
  return as_bytes(out.put(s.after_header).put(s.pixels).data);
}

Samples decoded(const BmpSpec& s) {
  return decode_image(bmp_file(s), "file").pixels;
}

const Samples kRows = {1, 2, 3, 4,  5,  6,  0, 0,
                       7, 8, 9, 10, 11, 12, 0, 0};  // blue, green, red; the last row first

TEST(Bmp, HeadersAndRowOrders) {
  const Samples upright = {9, 8, 7, 12, 11, 10, 3, 2, 1, 6, 5, 4};
  for (const std::uint32_t header : {12U, 16U, 40U, 52U, 56U, 64U, 108U, 124U}) {
    BmpSpec s;
    s.header = header;
    s.pixels = kRows;
    EXPECT_EQ(decoded(s), upright) << header;
  }
  BmpSpec s;
  s.height = -2;
  s.pixels = kRows;
  EXPECT_EQ(decoded(s), (Samples{3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10}));
  s.header = 30;
  EXPECT_TRUE(mentions(refusal(bmp_file(s)), "30 bytes"));
}

TEST(Bmp, Palettes) {
  BmpSpec s;
  s.height = 1;
  s.bits = 1;
  s.after_header = {1, 2, 3, 0, 4, 5, 6, 0};
  s.pixels = {0x40, 0, 0, 0};
  EXPECT_EQ(decoded(s), (Samples{3, 2, 1, 6, 5, 4}));
  s.header = 12;  // OS/2's entries have three bytes
  s.after_header = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(decoded(s), (Samples{3, 2, 1, 6, 5, 4}));
  s.header = 40;
  s.bits = 4;
  s.colours = 2;
  s.after_header = {1, 2, 3, 0, 4, 5, 6, 0};
  s.pixels = {0x10, 0, 0, 0};
  EXPECT_EQ(decoded(s), (Samples{6, 5, 4, 3, 2, 1}));
  s.pixels = {0x50, 0, 0, 0};
  EXPECT_TRUE(mentions(refusal(bmp_file(s)), "colour number 5"));
}

TEST(Bmp, SixteenAndThirtyTwoBits) {
  BmpSpec s;
  s.height = 1;
  s.bits = 16;
  s.pixels = {0x00, 0x7c, 0xff, 0x03};  // full red; full green and blue
  EXPECT_EQ(decoded(s), (Samples{255, 0, 0, 0, 255, 255}));
  s.compression = 3;
  s.after_header = ByteWriter(false).put(0xf800, 4).put(0x07e0, 4).put(0x001f, 4).data;
  s.pixels = {0x00, 0xf8, 0xe0, 0x07};
  EXPECT_EQ(decoded(s), (Samples{255, 0, 0, 0, 255, 0}));
  s.bits = 32;
  s.width = 1;
  s.after_header = ByteWriter(false).put(0xff, 4).put(0xff00, 4).put(0xff0000, 4).data;
  s.pixels = {1, 2, 3, 99};
  EXPECT_EQ(decoded(s), (Samples{1, 2, 3}));
  s.after_header = ByteWriter(false).put(0xf0f, 4).put(0xff00, 4).put(0xff0000, 4).data;
  EXPECT_TRUE(mentions(refusal(bmp_file(s)), "masks"));
}

TEST(Bmp, WhatCannotBeReadIsRefused) {
  BmpSpec s;
  s.pixels = kRows;
  s.compression = 1;
  s.bits = 8;
  EXPECT_TRUE(mentions(refusal(bmp_file(s)), "run-length"));
  s.compression = 4;
  EXPECT_TRUE(mentions(refusal(bmp_file(s)), "JPEG"));
  s.compression = 0;
  s.bits = 24;
  s.offset_error = 1000;
  EXPECT_TRUE(mentions(refusal(bmp_file(s)), "byte 1054"));
  s.offset_error = 0;
  s.width = 70000;
  EXPECT_TRUE(mentions(refusal(bmp_file(s)), "no side"));
  s.width = 2;
  const Bytes whole = bmp_file(s);
  for (std::size_t n = 2; n + 2 < whole.size(); ++n)  // the last two bytes are padding
    EXPECT_NE(refusal(Bytes(whole.begin(), whole.begin() + static_cast<long>(n))), "") << n;
}

}  // namespace
}  // namespace glint
