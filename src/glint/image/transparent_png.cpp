#include "glint/image/transparent_png.h"

#include <cstring>
#include <opencv2/imgcodecs.hpp>

#include "glint/base/error.h"
#include "glint/image/decoder.h"

namespace glint {

Mask decode_transparent_png(std::span<const std::byte> bytes, int width, int height,
                            const std::string& name) {
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  if (bytes.size() < 24 || std::memcmp(p, "\x89PNG\r\n\x1a\n", 8) != 0)
    fail(ErrorCode::kBadInput, "{}: its bitmap is no PNG", name);
  if (big_endian32(p + 16) != static_cast<std::uint32_t>(width) ||
      big_endian32(p + 20) != static_cast<std::uint32_t>(height)) {
    fail(ErrorCode::kBadInput, "{}: its bitmap is {}x{}, its image {}x{}", name, big_endian32(p + 16),
         big_endian32(p + 20), width, height);
  }
  cv::Mat mat;
  try {
    const cv::Mat view(1, static_cast<int>(bytes.size()), CV_8U,
                       const_cast<std::byte*>(bytes.data()));  // NOLINT: OpenCV has no const view
    mat = cv::imdecode(view, cv::IMREAD_UNCHANGED);
  } catch (const cv::Exception&) {
    mat.release();
  }
  if (mat.cols != width || mat.rows != height)
    fail(ErrorCode::kBadInput, "{}: its bitmap does not decode", name);
  Mask out(width, height);
  std::size_t opaque = 0;
  if (mat.channels() == 4) {
    const int depth = mat.depth();
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const bool on = depth == CV_16U ? mat.at<cv::Vec<std::uint16_t, 4>>(y, x)[3] >= 0x8000
                                        : mat.at<cv::Vec4b>(y, x)[3] >= 0x80;
        out.pixels[static_cast<std::size_t>(y) * width + x] = on ? 1 : 0;
        opaque += on ? 1 : 0;
      }
    }
  }
  if (opaque == 0 || opaque == out.pixels.size()) {
    fail(ErrorCode::kBadInput,
         "{}: its bitmap has no transparent ground, so that the marks cannot be told from it; draw the "
         "region again",
         name);
  }
  return out;
}

}  // namespace glint
