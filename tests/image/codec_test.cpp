#include "glint/image/codec.h"

#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/image/regions.h"
#include "golden.h"

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
  auto bytes = encode_png(pattern(64, 64));
  bytes.resize(bytes.size() / 2);
  try {
    decode_image(bytes,
                 "half.png");  // libpng may salvage rows; it must not crash, and an error must name the file
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("half.png"), std::string::npos);
  }
}

TEST(Codec, RefusesADecompressionBombBeforeDecoding) {
  auto bytes = encode_png(pattern(8, 8));
  for (const std::size_t at : {16U, 20U}) {  // width and height in the header: 60000
    bytes[at] = bytes[at + 1] = std::byte{0};
    bytes[at + 2] = std::byte{0xea};
    bytes[at + 3] = std::byte{0x60};
  }
  try {
    decode_image(bytes, "bomb.png");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("pixels"), std::string::npos);
  }
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
