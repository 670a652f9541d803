// TIFF: every arrangement of samples gives the same picture, or is refused with its name.
#include <cstring>

#include "odd_files.h"

namespace glint {
namespace {

constexpr int kWidth = 21, kHeight = 13;

/// `values` as 16-bit words in memory's order, which libtiff writes in the file's.
Samples words(const std::vector<std::uint16_t>& values) {
  Samples out(2 * values.size());
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

std::vector<std::uint16_t> deep(const Samples& pixels) {
  std::vector<std::uint16_t> out;
  for (const std::uint8_t v : pixels) out.push_back(static_cast<std::uint16_t>(257 * v));
  return out;
}

Samples plane(const Samples& pixels, std::size_t channel, std::size_t channels) {
  Samples out;
  for (std::size_t i = channel; i < pixels.size(); i += channels) out.push_back(pixels[i]);
  return out;
}

Samples as_rgb(const Samples& grey) {
  Samples out;
  for (const std::uint8_t v : grey) out.insert(out.end(), 3, v);
  return out;
}

TiffSpec base(int bits, int samples) {
  TiffSpec s;
  s.width = kWidth;
  s.height = kHeight;
  s.bits = bits;
  s.samples = samples;
  s.photometric = samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
  return s;
}

Samples decoded(const TiffSpec& spec) {
  return decode_image(tiff_file(spec), "file").pixels;
}

TEST(Tiff, PlanesAndPixelsGiveTheSamePicture) {
  const Samples rgb = photograph(kWidth, kHeight, 3, 1);
  for (const char* mode : {"wl", "wb", "w8"}) {
    for (const int bits : {8, 16}) {
      TiffSpec s = base(bits, 3);
      s.mode = mode;
      s.chunks = {bits == 8 ? rgb : words(deep(rgb))};
      EXPECT_EQ(decoded(s), rgb) << bits;
      s.planar = PLANARCONFIG_SEPARATE;
      s.chunks.clear();
      for (std::size_t c = 0; c < 3; ++c)
        s.chunks.push_back(bits == 8 ? plane(rgb, c, 3) : words(deep(plane(rgb, c, 3))));
      EXPECT_EQ(decoded(s), rgb) << bits << " bits by planes, " << mode;
    }
  }
}

TEST(Tiff, ZeroIsWhiteWhenTheFileSaysSo) {
  const Samples grey = photograph(kWidth, kHeight, 1, 2);
  Samples inverted;
  for (const std::uint8_t v : grey) inverted.push_back(static_cast<std::uint8_t>(255 - v));
  TiffSpec s = base(8, 1);
  s.photometric = PHOTOMETRIC_MINISWHITE;
  s.chunks = {inverted};
  EXPECT_EQ(decoded(s), as_rgb(grey));
  s.bits = 16;
  s.chunks = {words(deep(inverted))};
  EXPECT_EQ(decoded(s), as_rgb(grey));
  TiffSpec one{8, 1, 1};
  one.photometric = PHOTOMETRIC_MINISWHITE;
  one.chunks = {{0x0f}};
  EXPECT_EQ(plane(decoded(one), 0, 3), (Samples{255, 255, 255, 255, 0, 0, 0, 0}));
}

TEST(Tiff, PackedDepthsCoverTheWholeRange) {
  for (const int bits : {1, 2, 4, 10, 12, 14}) {
    TiffSpec s{3, 1, bits};
    const unsigned most = (1U << bits) - 1;
    std::uint64_t packed = 0;
    for (const unsigned v : {0U, most, most / 2}) packed = (packed << bits) | v;
    const int padding = (8 - 3 * bits % 8) % 8, bytes = (3 * bits + padding) / 8;
    s.chunks = {ByteWriter(true).put(packed << padding, bytes).data};
    const Samples got = plane(decoded(s), 0, 3);
    EXPECT_EQ(got[0], 0) << bits;
    EXPECT_EQ(got[1], 255) << bits;
    EXPECT_NEAR(got[2], 255.0 * (most / 2) / most, 0.51) << bits;
  }
  TiffSpec dark{2, 1, 12};  // the depth is stated, so that a dark picture is simply dark
  dark.chunks = {{0x00, 0x00, 0x10}};
  EXPECT_EQ(refusal(tiff_file(dark)), "");
}

TEST(Tiff, StripsTilesAndCompressionsGiveTheSamePicture) {
  const Samples rgb = photograph(kWidth, kHeight, 3, 3);
  for (const int compression :
       {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_PACKBITS, COMPRESSION_ADOBE_DEFLATE}) {
    TiffSpec s = base(8, 3);
    s.compression = compression;
    s.rows_per_strip = 5;
    for (int y = 0; y < kHeight; y += 5)
      s.chunks.emplace_back(rgb.begin() + 3 * kWidth * y,
                            rgb.begin() + 3 * kWidth * std::min(y + 5, kHeight));
    EXPECT_EQ(decoded(s), rgb) << compression;
    s.tile = 16;
    s.chunks.assign(2, Samples(3 * 16 * 16, 99));  // one row of two tiles
    for (int y = 0; y < kHeight; ++y)
      for (int x = 0; x < kWidth; ++x)
        std::copy_n(&rgb[3 * (y * kWidth + x)], 3, &s.chunks[x / 16][3 * (y * 16 + x % 16)]);
    EXPECT_EQ(decoded(s), rgb) << compression << " in tiles";
  }
}

TEST(Tiff, PaletteAndJpegInsideAreRead) {
  TiffSpec s{4, 1, 8};
  s.photometric = PHOTOMETRIC_PALETTE;
  for (unsigned i = 0; i < 256; ++i) {
    s.red.push_back(static_cast<std::uint16_t>(257 * i));
    s.green.push_back(static_cast<std::uint16_t>(257 * (255 - i)));
    s.blue.push_back(0);
  }
  s.chunks = {{0, 1, 128, 255}};
  EXPECT_EQ(decoded(s), (Samples{0, 255, 0, 1, 254, 0, 128, 127, 0, 255, 0, 0}));

  const Samples rgb = photograph(48, 32, 3, 4);
  TiffSpec jpeg{48, 32, 8, 3, PHOTOMETRIC_YCBCR};
  jpeg.compression = COMPRESSION_JPEG;
  jpeg.chunks = {rgb};
  const Samples got = decoded(jpeg);
  double difference = 0;
  for (std::size_t i = 0; i < rgb.size(); ++i) difference += std::abs(got[i] - rgb[i]);
  EXPECT_LT(difference / static_cast<double>(rgb.size()), 12);
}

TEST(Tiff, AlphaIsDroppedAndPremultipliedColoursAreRestored) {
  TiffSpec s{2, 1, 8, 4, PHOTOMETRIC_RGB};
  s.chunks = {{100, 50, 20, 128, 100, 50, 20, 255}};
  s.extra_samples = {EXTRASAMPLE_UNASSALPHA};
  EXPECT_EQ(decoded(s), (Samples{100, 50, 20, 100, 50, 20}));
  s.extra_samples = {EXTRASAMPLE_ASSOCALPHA};
  EXPECT_EQ(decoded(s), (Samples{199, 100, 40, 100, 50, 20}));
}

TEST(Tiff, EveryOrientationIsApplied) {
  // a picture of 3 x 2 pixels whose scene is 1 2 3 / 4 5 6, stored in the eight ways of TIFF 6.0
  const std::vector<Samples> stored = {{1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1},
                                       {4, 5, 6, 1, 2, 3}, {1, 4, 2, 5, 3, 6}, {3, 6, 2, 5, 1, 4},
                                       {6, 3, 5, 2, 4, 1}, {4, 1, 5, 2, 6, 3}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    TiffSpec s;
    s.width = orientation < 5 ? 3 : 2;
    s.height = orientation < 5 ? 2 : 3;
    s.orientation = orientation;
    s.chunks = {stored[orientation - 1]};
    const ImageFile file = decode_image_file(tiff_file(s), "file");
    EXPECT_EQ(file.image.width, 3) << orientation;
    EXPECT_EQ(file.orientation, orientation);
    EXPECT_EQ(plane(file.image.pixels, 0, 3), (Samples{1, 2, 3, 4, 5, 6})) << orientation;
  }
}

TEST(Tiff, SeveralPagesAreRefusedAndThumbnailsAreNot) {
  TiffSpec s{2, 1};
  s.chunks = {{1, 2}};
  s.page_kinds = {FILETYPE_PAGE, FILETYPE_PAGE, 0};
  EXPECT_TRUE(mentions(refusal(tiff_file(s)), "3 pages"));
  s.page_kinds = {FILETYPE_REDUCEDIMAGE, 0, FILETYPE_MASK};
  EXPECT_EQ(refusal(tiff_file(s)), "");
}

TEST(Tiff, KindsWithoutOneMeaningAreRefusedByName) {
  const auto said = [](int bits, int samples, int photometric, int sample_format = 0) {
    TiffSpec s{2, 2, bits, samples, photometric};
    s.sample_format = sample_format;
    s.chunks = {Samples(static_cast<std::size_t>(4 * samples * bits / 8), 100)};
    if (samples == 2) s.extra_samples = {EXTRASAMPLE_UNSPECIFIED};
    return refusal(tiff_file(s));
  };
  EXPECT_TRUE(mentions(said(8, 4, PHOTOMETRIC_SEPARATED), "CMYK"));
  EXPECT_TRUE(mentions(said(8, 3, PHOTOMETRIC_CIELAB), "L*a*b*"));
  EXPECT_TRUE(mentions(said(32, 1, PHOTOMETRIC_MINISBLACK, SAMPLEFORMAT_IEEEFP), "floating"));
  EXPECT_TRUE(mentions(said(16, 1, PHOTOMETRIC_MINISBLACK, SAMPLEFORMAT_INT), "signed"));
  EXPECT_TRUE(mentions(said(32, 1, PHOTOMETRIC_MINISBLACK), "32 bits"));
  EXPECT_TRUE(mentions(said(8, 1, 32803), "mosaic"));
  EXPECT_TRUE(mentions(said(8, 2, PHOTOMETRIC_MINISBLACK), "2 samples"));
  EXPECT_TRUE(mentions(said(8, 3, PHOTOMETRIC_MINISBLACK), "3 samples"));
}

TEST(Tiff, CutFilesAreRefusedAndNothingIsReadThatIsNotInTheFile) {
  TiffSpec s = base(16, 3);
  s.planar = PLANARCONFIG_SEPARATE;
  const Samples rgb = photograph(kWidth, kHeight, 3, 5);
  for (std::size_t c = 0; c < 3; ++c) s.chunks.push_back(words(deep(plane(rgb, c, 3))));
  for (const int compression : {COMPRESSION_NONE, COMPRESSION_LZW}) {
    s.compression = compression;
    const Bytes whole = tiff_file(s);
    for (std::size_t n = 1; n < whole.size(); n += 53)
      EXPECT_NE(refusal(Bytes(whole.begin(), whole.begin() + static_cast<long>(n))), "") << n;
  }
  s.compression = COMPRESSION_NONE;
  s.chunks.pop_back();  // the third plane has no strip
  EXPECT_NE(refusal(tiff_file(s)), "");
}

}  // namespace
}  // namespace glint
