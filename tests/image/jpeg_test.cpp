// JPEG: what libjpeg only warns about is refused.
#include <cstring>

#include "odd_files.h"

namespace glint {
namespace {

JpegSpec spec(int components = 3) {
  JpegSpec s;
  s.width = 96;
  s.height = 64;
  s.components = components;
  s.pixels = photograph(96, 64, components, 7);
  return s;
}

std::vector<std::size_t> markers(const Bytes& file, unsigned low, unsigned high) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i + 1 < file.size(); ++i) {
    const auto marker = std::to_integer<unsigned>(file[i + 1]);
    if (file[i] == std::byte{0xff} && marker >= low && marker <= high) out.push_back(i);
  }
  return out;
}

/// Without the bytes of [first, last).
Bytes without(const Bytes& file, std::size_t first, std::size_t last) {
  Bytes out(file.begin(), file.begin() + static_cast<long>(first));
  out.insert(out.end(), file.begin() + static_cast<long>(last), file.end());
  return out;
}

TEST(Jpeg, DroppedRestartIntervalsAreRefused) {
  JpegSpec s = spec();
  s.restart_interval = 2;
  const Bytes whole = jpeg_file(s);
  ASSERT_EQ(refusal(whole), "");
  const auto restarts = markers(whole, 0xd0, 0xd7);
  ASSERT_GT(restarts.size(), 9U);
  for (const std::size_t dropped : {1U, 2U, 8U})  // eight keep the counting right
    EXPECT_TRUE(mentions(refusal(without(whole, restarts[1], restarts[1 + dropped])), "damaged")) << dropped;
}

TEST(Jpeg, DamagedOrSurplusDataIsRefused) {
  const Bytes whole = jpeg_file(spec());
  const std::size_t data = markers(whole, 0xda, 0xda).front() + 14, end = whole.size() - 2;
  EXPECT_NE(refusal(without(whole, data + 100, data + 900)), "") << "data is missing";
  Bytes more = whole;
  more.insert(more.begin() + static_cast<long>(end), 40, std::byte{0x55});
  EXPECT_TRUE(mentions(refusal(more), "extraneous")) << "left over before the end mark";
  Bytes stray = whole;
  stray.insert(stray.begin() + 2, 3, std::byte{0x11});
  EXPECT_NE(refusal(stray), "") << "bytes between markers";
  Bytes trailing = whole;
  trailing.insert(trailing.end(), 500, std::byte{0});
  EXPECT_EQ(refusal(trailing), "") << "what follows the end mark is no part of the picture";
}

TEST(Jpeg, CutFilesAreRefusedWhereverTheyEnd) {
  for (const bool progressive : {false, true}) {
    JpegSpec s = spec();
    s.progressive = progressive;
    const Bytes whole = jpeg_file(s);
    for (std::size_t n = 2; n < whole.size(); n += 37)
      EXPECT_NE(refusal(Bytes(whole.begin(), whole.begin() + static_cast<long>(n))), "") << n;
  }
}

TEST(Jpeg, AProgressiveFileWithoutItsLastScansIsRefused) {
  JpegSpec s = spec();
  s.progressive = true;
  const Bytes whole = jpeg_file(s);
  ASSERT_EQ(refusal(whole), "");
  const auto scans = markers(whole, 0xda, 0xda);
  ASSERT_GT(scans.size(), 3U);
  for (std::size_t kept = 1; kept < scans.size(); ++kept) {  // the end mark is put behind what is left
    Bytes cut(whole.begin(), whole.begin() + static_cast<long>(scans[kept]));
    const std::size_t tables = markers(cut, 0xc4, 0xc4).back();
    if (tables > scans[kept - 1]) cut.resize(tables);
    cut.insert(cut.end(), {std::byte{0xff}, std::byte{0xd9}});
    EXPECT_TRUE(mentions(refusal(cut), "incomplete")) << kept << " scans";
  }
}

TEST(Jpeg, KindsWithoutOneMeaningAreRefusedByName) {
  EXPECT_TRUE(mentions(refusal(jpeg_file(spec(4))), "CMYK"));
  JpegSpec ycck = spec(4);
  ycck.stored = JCS_YCCK;
  EXPECT_TRUE(mentions(refusal(jpeg_file(ycck)), "CMYK"));
  Bytes deep = jpeg_file(spec());
  deep[markers(deep, 0xc0, 0xc0).front() + 4] = std::byte{12};
  EXPECT_TRUE(mentions(refusal(deep), "12 bits"));
  Bytes lossless = jpeg_file(spec());
  lossless[markers(lossless, 0xc0, 0xc0).front() + 1] = std::byte{0xc3};
  EXPECT_TRUE(mentions(refusal(lossless), "lossless"));
}

TEST(Jpeg, GreyArithmeticAndRgbFilesAreRead) {
  EXPECT_EQ(refusal(jpeg_file(spec(1))), "");
  JpegSpec s = spec();
  s.arithmetic = true;
  EXPECT_EQ(decode_image(jpeg_file(s), "a").pixels, decode_image(jpeg_file(spec()), "b").pixels);
  s = spec();
  s.stored = JCS_RGB;
  s.quality = 100;
  const RgbImage image = decode_image(jpeg_file(s), "rgb");
  for (std::size_t i = 0; i < image.pixels.size(); ++i) ASSERT_NEAR(image.pixels[i], s.pixels[i], 3);
}

TEST(Jpeg, ATooLargeHeaderIsRefusedBeforeDecoding) {
  Bytes file = jpeg_file(spec());
  const std::size_t frame = markers(file, 0xc0, 0xc0).front();
  for (std::size_t i = 5; i < 9; ++i) file[frame + i] = std::byte{0x7f};
  EXPECT_TRUE(mentions(refusal(file), "pixels"));
}

}  // namespace
}  // namespace glint
