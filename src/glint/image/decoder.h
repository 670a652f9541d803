// The decoders behind codec.h, one file per format. Each sees everything that its library warns about: a file
// that is damaged, cut off or of a kind that has no one meaning is refused by name, and every sample of what
// is returned was in the file. For this room only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "glint/base/error.h"

namespace glint {

struct DecodeRequest {
  std::span<const std::byte> bytes;
  std::string name;         ///< of the file, for messages
  std::int64_t max_pixels;  ///< more is refused before anything is allocated

  const std::uint8_t* data() const { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }
  std::size_t size() const { return bytes.size(); }
};

/// Samples as the file's, rows from the file's first, interleaved. Palettes are looked up, 1 to 7 bits are
/// brought to 8 and 9 to 15 to 16 bits (full range to full range), 0 is black.
struct DecodedImage {
  int width = 0, height = 0;
  int channels = 1;                  ///< 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA; alpha is not multiplied in
  int depth = 8;                     ///< 8 or 16 bits per sample
  std::vector<std::uint8_t> bytes;   ///< depth 8: width * height * channels
  std::vector<std::uint16_t> words;  ///< depth 16
  int orientation = 1;               ///< EXIF's and TIFF's 1 to 8; not applied
  bool lossy = false;                ///< JPEG: flat areas may hold traces of compression
  bool declared_depth = false;       ///< the file says how many bits are used: 9 to 15

  std::size_t samples() const { return static_cast<std::size_t>(width) * height * channels; }
  /// Allocates zeros for the shape above.
  void allocate() {
    if (depth == 16) {
      words.assign(samples(), 0);
    } else {
      bytes.assign(samples(), 0);
    }
  }
};

/// Error(kBadInput) "NAME: what is wrong; way out".
template <class... Args>
[[noreturn]] void refuse(const DecodeRequest& request, fmt::format_string<Args...> format, Args&&... args) {
  fail(ErrorCode::kBadInput, "{}: {}", request.name, fmt::format(format, std::forward<Args>(args)...));
}

inline std::uint32_t big_endian32(const std::uint8_t* p) {
  return (std::uint32_t{p[0]} << 24) | (std::uint32_t{p[1]} << 16) | (std::uint32_t{p[2]} << 8) | p[3];
}

/// Refuses sizes that glint does not accept: 0, more than max_pixels, a side over kMaxSide.
void check_size(const DecodeRequest& request, std::uint64_t width, std::uint64_t height);

DecodedImage decode_png(const DecodeRequest& request);
DecodedImage decode_jpeg(const DecodeRequest& request);
DecodedImage decode_tiff(const DecodeRequest& request);
DecodedImage decode_bmp(const DecodeRequest& request);

/// By the first bytes; refuses what is none of the four formats and says what it is, when it is known.
DecodedImage decode_file(const DecodeRequest& request);

/// EXIF orientation of a TIFF structure as EXIF holds it ("II*" or "MM*" first); 1 when it states none.
int exif_orientation(std::span<const std::uint8_t> exif);

/// Turns and mirrors, so that orientation becomes 1.
void apply_orientation(DecodedImage& image);

}  // namespace glint
