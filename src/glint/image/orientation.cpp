// EXIF orientation: found in a file's metadata, and applied to its pixels.
#include <utility>

#include "glint/image/decoder.h"

namespace glint {
namespace {

constexpr std::uint32_t kOrientationTag = 0x0112, kShort = 3;

/// Unsigned numbers of a TIFF structure; beyond its end they are 0.
struct ExifReader {
  std::span<const std::uint8_t> bytes;
  bool little;

  std::uint32_t number(std::size_t at, std::size_t width) const {
    if (at > bytes.size() || bytes.size() - at < width) return 0;
    std::uint32_t value = 0;
    for (std::size_t k = 0; k < width; ++k)
      value = (value << 8) | bytes[little ? at + width - 1 - k : at + k];
    return value;
  }
};

/// Moves every pixel (`Sample` x channels) to its place in the turned picture.
template <class Sample>
std::vector<Sample> turned(const std::vector<Sample>& from, int width, int height, int channels,
                           int orientation) {
  const bool swaps = orientation >= 5;
  const std::size_t out_width = swaps ? height : width, out_height = swaps ? width : height;
  std::vector<Sample> out(from.size());
  Sample* to = out.data();
  for (std::size_t y = 0; y < out_height; ++y) {
    for (std::size_t x = 0; x < out_width; ++x) {
      std::size_t sx = swaps ? y : x, sy = swaps ? x : y;
      // EXIF 2.3, table 6: which edges of the scene the file's first row and first column are
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) sx = width - 1 - sx;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) sy = height - 1 - sy;
      const Sample* source = &from[(sy * width + sx) * channels];
      for (int c = 0; c < channels; ++c) *to++ = source[c];
    }
  }
  return out;
}

}  // namespace

int exif_orientation(std::span<const std::uint8_t> exif) {
  if (exif.size() < 8 || exif[0] != exif[1] || (exif[0] != 'I' && exif[0] != 'M')) return 1;
  const ExifReader reader{exif, exif[0] == 'I'};
  if (reader.number(2, 2) != 42) return 1;
  const std::size_t directory = reader.number(4, 4);
  const std::size_t entries = reader.number(directory, 2);
  for (std::size_t e = 0; e < entries; ++e) {
    const std::size_t at = directory + 2 + 12 * e;
    if (at + 12 > exif.size()) break;
    if (reader.number(at, 2) != kOrientationTag || reader.number(at + 2, 2) != kShort) continue;
    const std::uint32_t value = reader.number(at + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

void apply_orientation(DecodedImage& image) {
  if (image.orientation < 2 || image.orientation > 8) return;
  if (image.depth == 16) {
    image.words = turned(image.words, image.width, image.height, image.channels, image.orientation);
  } else {
    image.bytes = turned(image.bytes, image.width, image.height, image.channels, image.orientation);
  }
  if (image.orientation >= 5) std::swap(image.width, image.height);
  image.orientation = 1;
}

}  // namespace glint
