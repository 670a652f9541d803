#include "glint/image/codec.h"

#include <array>
#include <cstring>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>

#include "glint/base/error.h"
#include "glint/base/files.h"

namespace glint {
namespace {

std::uint32_t be32(const unsigned char* p) {
  return (std::uint32_t{p[0]} << 24) | (std::uint32_t{p[1]} << 16) | (std::uint32_t{p[2]} << 8) | p[3];
}

/// What the first bytes say, read before the decoder sees them.
struct Header {
  double pixels = 0;
  bool complete = true;  ///< false when the format's end mark is missing: a file that was cut off
};

Header png_header(const unsigned char* p, std::size_t n) {
  static constexpr std::string_view kEnd = "IEND";
  const std::string_view all(reinterpret_cast<const char*>(p), n);
  return {static_cast<double>(be32(p + 16)) * be32(p + 20), all.rfind(kEnd) != std::string_view::npos};
}

/// Empty when there is no frame header. The decoder fills what is missing of a cut file with grey and says
/// nothing, so the end mark is looked for here; inside a scan it cannot occur.
std::optional<Header> jpeg_header(const unsigned char* p, std::size_t n) {
  std::optional<Header> out;
  for (std::size_t i = 2; i + 9 < n && p[i] == 0xff;) {
    const unsigned marker = p[i + 1];
    if (marker == 0xff) {
      ++i;
      continue;
    }
    if (marker == 0xda) {  // start of scan
      const std::string_view rest(reinterpret_cast<const char*>(p) + i, n - i);
      if (out) out->complete = rest.find("\xff\xd9") != std::string_view::npos;
      break;
    }
    if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc) {
      out = Header{((p[i + 5] << 8) | p[i + 6]) * static_cast<double>((p[i + 7] << 8) | p[i + 8])};
    }
    i += 2 + ((std::size_t{p[i + 2]} << 8) | p[i + 3]);
  }
  return out;
}

/// Width and height of the first directory of a classic TIFF (TIFF 6.0, section 2).
std::optional<Header> tiff_header(const unsigned char* p, std::size_t n) {
  const bool little = p[0] == 'I';
  const auto number = [&](std::size_t at, std::size_t bytes) {
    std::uint32_t value = 0;
    for (std::size_t k = 0; k < bytes; ++k) value = (value << 8) | p[little ? at + bytes - 1 - k : at + k];
    return value;
  };
  const std::size_t directory = number(4, 4);
  if (directory > n || n - directory < 2) return std::nullopt;
  double width = 0, height = 0;
  const std::size_t entries = number(directory, 2);
  for (std::size_t e = 0, at = directory + 2; e < entries && at + 12 <= n; ++e, at += 12) {
    const std::uint32_t tag = number(at, 2), type = number(at + 2, 2);
    const double value = number(at + 8, type == 3 ? 2 : 4);
    if (tag == 256) width = value;
    if (tag == 257) height = value;
  }
  if (width == 0 || height == 0) return std::nullopt;
  return Header{width * height};
}

/// Empty when the bytes are none of the formats that this room reads: no other decoder of the library ever
/// sees a stranger's file.
std::optional<Header> read_header(std::span<const std::byte> bytes) {
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  const std::size_t n = bytes.size();
  static constexpr std::array<unsigned char, 8> kPng = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  if (n >= 24 && std::memcmp(p, kPng.data(), 8) == 0) return png_header(p, n);
  if (n >= 26 && p[0] == 'B' && p[1] == 'M') {
    std::int32_t w = 0, h = 0;
    std::memcpy(&w, p + 18, 4);
    std::memcpy(&h, p + 22, 4);
    return Header{std::abs(static_cast<double>(w)) * std::abs(static_cast<double>(h))};
  }
  if (n >= 4 && p[0] == 0xff && p[1] == 0xd8) return jpeg_header(p, n);
  if (n >= 8 && (std::memcmp(p, "II*\0", 4) == 0 || std::memcmp(p, "MM\0*", 4) == 0))
    return tiff_header(p, n);
  return std::nullopt;
}

cv::Mat decode(std::span<const std::byte> bytes, int flags, const std::string& name,
               std::int64_t max_pixels) {
  if (bytes.empty()) fail(ErrorCode::kBadInput, "{}: the file is empty; replace or remove it", name);
  const auto header = read_header(bytes);
  if (!header) {
    fail(ErrorCode::kBadInput, "{}: does not decode as PNG, JPEG, BMP or TIFF; replace or remove it", name);
  }
  if (header->pixels > static_cast<double>(max_pixels)) {
    fail(ErrorCode::kBadInput, "{}: {:.0f} pixels, more than the {} glint accepts; scale it down", name,
         header->pixels, max_pixels);
  }
  if (!header->complete) fail(ErrorCode::kBadInput, "{}: the file is cut off; copy it again", name);
  cv::Mat out;
  try {
    const cv::Mat view(1, static_cast<int>(bytes.size()), CV_8U,
                       const_cast<std::byte*>(bytes.data()));  // NOLINT: OpenCV has no const view
    out = cv::imdecode(view, flags);
  } catch (const cv::Exception& e) {
    fail(ErrorCode::kBadInput, "{}: does not decode ({}); replace or remove it", name, e.err);
  }
  if (out.empty()) {
    fail(ErrorCode::kBadInput, "{}: does not decode as PNG, JPEG, BMP or TIFF; replace or remove it", name);
  }
  if (static_cast<std::int64_t>(out.total()) > max_pixels) {
    fail(ErrorCode::kBadInput, "{}: more than the {} pixels glint accepts; scale it down", name, max_pixels);
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

RgbImage decode_image(std::span<const std::byte> bytes, const std::string& name, std::int64_t max_pixels) {
  cv::Mat mat = decode(bytes, cv::IMREAD_COLOR | cv::IMREAD_ANYDEPTH, name, max_pixels);
  if (mat.depth() == CV_16U) {
    mat.convertTo(mat, CV_8U, 255.0 / 65535.0);
  } else if (mat.depth() != CV_8U) {
    fail(ErrorCode::kBadInput, "{}: floating-point pixels; convert it to 8 or 16 bit", name);
  }
  RgbImage out(mat.cols, mat.rows);
  cv::Mat rgb(out.height, out.width, CV_8UC3, out.pixels.data());
  cv::cvtColor(mat, rgb, cv::COLOR_BGR2RGB);
  return out;
}

std::string image_ending(std::span<const std::byte> bytes) {
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                               std::min<std::size_t>(bytes.size(), 4));
  if (start.starts_with("\x89PNG")) return ".png";
  if (start.starts_with("\xff\xd8")) return ".jpg";
  if (start.starts_with("BM")) return ".bmp";
  return start.starts_with("II") || start.starts_with("MM") ? ".tif" : ".bin";
}

RgbImage read_image(const std::filesystem::path& path) {
  return decode_image(read_file(path, std::uint64_t{1} << 30), path.string());
}

MaskFile read_mask_file(const std::filesystem::path& path, MaskRule rule) {
  const int highest_normal = rule == MaskRule::kNonZero ? 0 : 127;
  const cv::Mat mat =
      decode(read_file(path, std::uint64_t{1} << 30), cv::IMREAD_GRAYSCALE, path.string(), kMaxPixels);
  MaskFile out{Mask(mat.cols, mat.rows)};
  std::int64_t grey = 0;
  for (int y = 0; y < mat.rows; ++y) {
    const auto* row = mat.ptr<std::uint8_t>(y);
    for (int x = 0; x < mat.cols; ++x) {
      out.mask.pixels[static_cast<std::size_t>(y) * mat.cols + x] = row[x] > highest_normal ? 1 : 0;
      grey += rule == MaskRule::kAboveHalf && row[x] != 0 && row[x] != 255 ? 1 : 0;
    }
  }
  out.grey_share = static_cast<double>(grey) / static_cast<double>(mat.total());
  return out;
}

Mask read_mask(const std::filesystem::path& path, MaskRule rule) {
  return read_mask_file(path, rule).mask;
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
