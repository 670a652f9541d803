#include "glint/image/codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/image/decoder.h"

namespace glint {
namespace {

constexpr std::uint64_t kMostFileBytes = std::uint64_t{1} << 30;

/// 16 bits to 8, full range to full range, rounded.
std::uint8_t eight_bits(std::uint16_t value) {
  return static_cast<std::uint8_t>((value + 128U) / 257U);
}

/// A 16-bit file may hold a camera's 10, 12 or 14 bits as they came: read at full scale all but 16 levels of
/// 12 bits are lost. Neither the file nor its brightest value says so for sure (a scene may be dark), and a
/// scale taken from each picture would move scores between pictures of one camera. So it is refused.
void check_range(const DecodeRequest& request, const DecodedImage& image) {
  if (image.declared_depth) return;
  const std::size_t channels = static_cast<std::size_t>(image.channels);
  std::uint16_t brightest = 0;
  for (std::size_t i = 0; i < image.words.size(); ++i) {
    const bool alpha = channels % 2 == 0 && i % channels == channels - 1;
    if (!alpha) brightest = std::max(brightest, image.words[i]);
  }
  if (std::bit_width(brightest) >= kLeastSixteenBits) return;
  refuse(
      request,
      "a 16-bit picture whose brightest value is {} of 65535: it holds {} bits at the low end of 16, or it "
      "is almost dark, and the file cannot say which; write all pictures of this camera in 8 bits, or "
      "scale its full range to 65535",
      brightest, std::max<int>(1, std::bit_width(brightest)));
}

/// Drops alpha.
template <class Sample, class Convert>
void fill_rgb(const std::vector<Sample>& samples, int channels, RgbImage& out, const Convert& convert) {
  const Sample* in = samples.data();
  const std::size_t pixels = out.pixels.size() / 3;
  const bool grey = channels < 3;
  std::uint8_t* to = out.pixels.data();
  for (std::size_t i = 0; i < pixels; ++i, in += channels, to += 3) {
    for (std::size_t c = 0; c < 3; ++c) to[c] = convert(in[grey ? 0 : c]);
  }
}

RgbImage to_rgb(DecodedImage&& image) {
  RgbImage out;
  if (image.depth == 8 && image.channels == 3) {
    out.width = image.width;
    out.height = image.height;
    out.pixels = std::move(image.bytes);
    return out;
  }
  out = RgbImage(image.width, image.height);
  if (image.depth == 16) {
    fill_rgb(image.words, image.channels, out, eight_bits);
  } else {
    fill_rgb(image.bytes, image.channels, out, [](std::uint8_t v) { return v; });
  }
  return out;
}

std::vector<std::byte> encode(const cv::Mat& mat, const char* ext, const std::vector<int>& parameters) {
  std::vector<unsigned char> buffer;
  GLINT_CHECK(cv::imencode(ext, mat, buffer, parameters));
  const auto* p = reinterpret_cast<const std::byte*>(buffer.data());
  return {p, p + buffer.size()};
}

cv::Mat to_bgr(const RgbImage& image) {
  const cv::Mat rgb(image.height, image.width, CV_8UC3,
                    const_cast<std::uint8_t*>(image.pixels.data()));  // NOLINT: OpenCV has no const view
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  return bgr;
}

}  // namespace

bool is_image_file(const std::filesystem::path& path) {
  static constexpr std::array<std::string_view, 6> kEndings = {".png", ".jpg", ".jpeg",
                                                               ".bmp", ".tif", ".tiff"};
  if (path.filename().string().starts_with(".")) return false;
  return std::find(kEndings.begin(), kEndings.end(), lower_extension(path)) != kEndings.end();
}

ImageFile decode_image_file(std::span<const std::byte> bytes, const std::string& name,
                            std::int64_t max_pixels) {
  const DecodeRequest request{bytes, name, max_pixels};
  DecodedImage decoded = decode_file(request);
  if (decoded.depth == 16) check_range(request, decoded);
  ImageFile out;
  out.orientation = decoded.orientation;
  apply_orientation(decoded);
  out.image = to_rgb(std::move(decoded));
  return out;
}

RgbImage decode_image(std::span<const std::byte> bytes, const std::string& name, std::int64_t max_pixels) {
  return decode_image_file(bytes, name, max_pixels).image;
}

RgbImage read_image(const std::filesystem::path& path) {
  return decode_image(read_file(path, kMostFileBytes), name_line(path));
}

std::vector<std::byte> encode_png(const RgbImage& image) {
  return encode(to_bgr(image), ".png", {cv::IMWRITE_PNG_COMPRESSION, 3});
}

std::vector<std::byte> encode_png(const Mask& mask) {
  cv::Mat grey(mask.height, mask.width, CV_8U);
  std::transform(mask.pixels.begin(), mask.pixels.end(), grey.data,
                 [](std::uint8_t v) { return static_cast<std::uint8_t>(v ? 255 : 0); });
  return encode(grey, ".png", {cv::IMWRITE_PNG_COMPRESSION, 9});
}

std::vector<std::byte> encode_jpeg(const RgbImage& image, int quality) {
  return encode(to_bgr(image), ".jpg", {cv::IMWRITE_JPEG_QUALITY, quality});
}

}  // namespace glint
