#include "glint/image/codec.h"

#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>
#include <random>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/image/regions.h"
#include "golden.h"
#include "odd_files.h"

namespace glint {
namespace {

RgbImage pattern(int w, int h) {
  RgbImage image(w, h);
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<std::uint8_t>(13 * i % 256);
  return image;
}

TEST(Codec, PngRoundTripIsExact) {
  const RgbImage image = pattern(33, 21);
  const RgbImage back = decode_image(encode_png(image), "x");
  EXPECT_EQ(back.width, 33);
  EXPECT_EQ(back.pixels, image.pixels);
}

TEST(Codec, RefusesWhatIsNoImage) {
  const std::string text = "not an image";
  EXPECT_THROW(decode_image(std::as_bytes(std::span(text)), "x.png"), Error);
  EXPECT_THROW(decode_image({}, "empty.png"), Error);
}

TEST(Codec, SaysWhatAFileIsThatOnlyItsNameCallsAnImage) {
  const auto said = [](const std::string& start) {
    std::string bytes = start;
    bytes.resize(300);
    const auto view = std::as_bytes(std::span(bytes));
    return refusal({view.begin(), view.end()});
  };
  EXPECT_TRUE(mentions(said("GIF89a"), "is a GIF file"));
  EXPECT_TRUE(mentions(said(std::string("RIFF\x10\0\0\0WEBPVP8 ", 16)), "is a WebP file"));
  EXPECT_TRUE(mentions(said(std::string("\0\0\0\x18"
                                        "ftypheic",
                                        12)),
                       "is an HEIC file"));
  EXPECT_TRUE(mentions(said(std::string("\0\0\0\x18"
                                        "ftypavif",
                                        12)),
                       "is an AVIF file"));
  EXPECT_TRUE(mentions(said(std::string("\0\0\0\x0cjP  \r\n\x87\n", 12)), "is a JPEG 2000 file"));
  EXPECT_TRUE(mentions(said("P6\n8 8\n255\n"), "is a PPM file"));
  EXPECT_TRUE(mentions(said("version https://git-lfs.github.com/spec/v1"), "Git LFS"));
  EXPECT_TRUE(mentions(said("hello"), "does not decode"));
}

/// Ordinary 8-bit files keep the values that OpenCV gives them, so that trained models keep their scores.
TEST(Codec, OrdinaryFilesDecodeAsOpenCvDecodesThem) {
  std::mt19937 random(5);
  for (int i = 0; i < 160; ++i) {
    const int width = 1 + static_cast<int>(random() % 70), height = 1 + static_cast<int>(random() % 50);
    const int channels = i % 3 == 0 ? 1 : 3;
    Samples pixels = photograph(width, height, channels, random());
    const cv::Mat source(height, width, channels == 1 ? CV_8UC1 : CV_8UC3, pixels.data());
    const char* endings[] = {".png", ".jpg", ".bmp", ".tif"};
    const int kind = i % 4;
    std::vector<int> options;
    if (kind == 0)
      options = {cv::IMWRITE_PNG_COMPRESSION, static_cast<int>(random() % 10), cv::IMWRITE_PNG_STRATEGY,
                 static_cast<int>(random() % 4)};
    if (kind == 1)
      options = {cv::IMWRITE_JPEG_QUALITY, 30 + static_cast<int>(random() % 70), cv::IMWRITE_JPEG_PROGRESSIVE,
                 static_cast<int>(random() % 2)};
    std::vector<std::uint8_t> file;
    cv::imencode(endings[kind], source, file, options);
    const cv::Mat want = cv::imdecode(file, cv::IMREAD_COLOR);
    const RgbImage got = decode_image(std::as_bytes(std::span(file)), "file");
    ASSERT_EQ(got.width, want.cols);
    ASSERT_EQ(got.height, want.rows);
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        for (int c = 0; c < 3; ++c)
          ASSERT_EQ(got.at(x, y)[c], want.at<cv::Vec3b>(y, x)[2 - c]) << endings[kind] << ' ' << i;
  }
}

/// Every colour type, depth, filter and way of interlacing, from rows of noise.
TEST(Codec, AnyPngDecodesAsOpenCvDecodesIt) {
  std::mt19937 random(8);
  const std::pair<int, int> kinds[] = {{0, 1}, {0, 2}, {0, 4}, {0, 8}, {2, 8}, {3, 1},
                                       {3, 2}, {3, 4}, {3, 8}, {4, 8}, {6, 8}};
  for (int i = 0; i < 330; ++i) {
    PngSpec spec;
    spec.colour = kinds[i % 11].first;
    spec.bits = kinds[i % 11].second;
    spec.width = 1 + random() % 20;
    spec.height = 1 + random() % 20;
    spec.interlaced = i % 2 == 0;
    spec.filtered = true;
    spec.rows.resize(png_raw_size(spec));
    // a byte is a filter in some row; where it is not, it is noise of low values
    for (std::uint8_t& v : spec.rows) v = static_cast<std::uint8_t>(random() % 5);
    if (spec.colour == 3) {
      Samples palette;
      for (int k = 0; k < 3 << spec.bits; ++k) palette.push_back(static_cast<std::uint8_t>(random()));
      spec.extra = {png_chunk("PLTE", palette)};
    }
    const Bytes file = png_file(spec);
    const cv::Mat view(1, static_cast<int>(file.size()), CV_8U, const_cast<std::byte*>(file.data()));
    const cv::Mat want = cv::imdecode(view, cv::IMREAD_COLOR);
    ASSERT_FALSE(want.empty());
    const RgbImage got = decode_image(file, "file");
    for (int y = 0; y < got.height; ++y)
      for (int x = 0; x < got.width; ++x)
        for (int c = 0; c < 3; ++c) ASSERT_EQ(got.at(x, y)[c], want.at<cv::Vec3b>(y, x)[2 - c]) << i;
  }
}

TEST(Codec, SixteenBitFilesDecodeAsOpenCvDecodesThem) {
  std::mt19937 random(6);
  for (int i = 0; i < 40; ++i) {
    cv::Mat source(9, 14, i % 2 == 0 ? CV_16UC1 : CV_16UC3);
    for (std::size_t k = 0; k < source.total() * source.channels(); ++k)
      source.ptr<std::uint16_t>()[k] = static_cast<std::uint16_t>(random());
    std::vector<std::uint8_t> file;
    cv::imencode(i % 4 < 2 ? ".png" : ".tif", source, file);
    cv::Mat want = cv::imdecode(file, cv::IMREAD_COLOR | cv::IMREAD_ANYDEPTH);
    want.convertTo(want, CV_8U, 255.0 / 65535.0);
    const RgbImage got = decode_image(std::as_bytes(std::span(file)), "file");
    for (int y = 0; y < 9; ++y)
      for (int x = 0; x < 14; ++x)
        for (int c = 0; c < 3; ++c) ASSERT_EQ(got.at(x, y)[c], want.at<cv::Vec3b>(y, x)[2 - c]) << i;
  }
}

TEST(Codec, RefusesADecompressionBombBeforeDecoding) {
  EXPECT_TRUE(mentions(refusal(png_file({60000, 60000, 8, 0, {1}, {}})), "3600000000 pixels"));
}

Bytes encoded(const cv::Mat& image, const char* extension) {
  std::vector<std::uint8_t> out;
  cv::imencode(extension, image, out);
  const auto view = std::as_bytes(std::span(out));
  return {view.begin(), view.end()};
}

TEST(Codec, SixteenBitGreyAndAlphaBecomeEightBitRgb) {
  for (const char* extension : {".png", ".tif"}) {
    const RgbImage deep =
        decode_image(encoded(cv::Mat(3, 4, CV_16UC1, cv::Scalar(0x8080)), extension), "deep");
    EXPECT_EQ(deep.width, 4) << extension;
    EXPECT_EQ(deep.pixels, std::vector<std::uint8_t>(36, 0x80)) << extension;
    cv::Mat rgba(2, 2, CV_8UC4, cv::Scalar(10, 20, 30, 0));  // blue, green, red, transparent
    const RgbImage image = decode_image(encoded(rgba, extension), "rgba");
    EXPECT_EQ(image.pixels[0], 30) << extension;
    EXPECT_EQ(image.pixels[1], 20) << extension;
    EXPECT_EQ(image.pixels[2], 10) << extension;
  }
  const RgbImage bmp = decode_image(encoded(cv::Mat(2, 3, CV_8UC3, cv::Scalar(1, 2, 3)), ".bmp"), "bmp");
  EXPECT_EQ(bmp.height, 2);
  EXPECT_EQ(bmp.pixels[0], 3);
}

TEST(Codec, ExifOrientationIsApplied) {
  cv::Mat wide(16, 48, CV_8UC3, cv::Scalar(0, 0, 0));
  wide.colRange(0, 24).setTo(cv::Scalar(255, 255, 255));  // left half white
  Bytes jpeg = encoded(wide, ".jpg");
  // APP1 with one tag: orientation 6, "turn a quarter clockwise to show"
  const unsigned char exif[] = {0xff, 0xe1, 0x00, 0x22, 'E',  'x',  'i', 'f', 0,    0,    'M',  'M',
                                0,    42,   0,    0,    0,    8,    0,   1,   0x01, 0x12, 0x00, 0x03,
                                0,    0,    0,    1,    0x00, 0x06, 0,   0,   0,    0,    0,    0};
  const auto view = std::as_bytes(std::span(exif));
  jpeg.insert(jpeg.begin() + 2, view.begin(), view.end());
  const RgbImage shown = decode_image(jpeg, "turned.jpg");
  EXPECT_EQ(shown.width, 16);
  EXPECT_EQ(shown.height, 48);
  EXPECT_GT(shown.pixels[3 * (4 * 16 + 8)], 200) << "what was left is on top";
  EXPECT_LT(shown.pixels[3 * (44 * 16 + 8)], 50);
}

TEST(Regions, EightAndFourConnectedDiffer) {
  Mask mask(3, 3);
  mask.pixels = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  EXPECT_EQ(label_regions(mask, Connectivity::kEight).count, 1);
  EXPECT_EQ(label_regions(mask, Connectivity::kFour).count, 3);
}

TEST(Regions, AboveThresholdReportsBoxAreaAndPeak) {
  ScoreMap map(10, 8);
  map.values[2 * 10 + 3] = 5;
  map.values[2 * 10 + 4] = 7;
  map.values[6 * 10 + 9] = 6;
  const auto regions = regions_above(map, 4);
  ASSERT_EQ(regions.size(), 2U);
  EXPECT_EQ(regions[0].x, 3);
  EXPECT_EQ(regions[0].width, 2);
  EXPECT_EQ(regions[0].area_px, 2);
  EXPECT_FLOAT_EQ(regions[0].peak, 7);
  EXPECT_FLOAT_EQ(regions[1].peak, 6);
}

}  // namespace
}  // namespace glint
