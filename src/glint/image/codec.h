// Image files in and out. PNG, JPEG, BMP and TIFF, by content and not by name; docs/images.md says what of
// each is read and what is refused. EXIF's and TIFF's orientation is applied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "glint/image/image.h"

namespace glint {

/// Largest number of pixels an image from outside may have, and largest side; more is refused before it is
/// decoded. The side is JPEG's own limit: overlays are written as JPEG.
inline constexpr std::int64_t kMaxPixels = 100'000'000;
inline constexpr int kMaxSide = 65'500;

/// Bits that the brightest sample of a 16-bit file must need: files below hold 14 bits or fewer at the low
/// end, or next to no light, and nobody can tell which.
inline constexpr int kLeastSixteenBits = 15;

/// True for the file endings this room reads.
bool is_image_file(const std::filesystem::path& path);

/// A decoded file, and the orientation that was applied (EXIF 2.3: 1 to 8, 1 = as stored).
struct ImageFile {
  RgbImage image;
  int orientation = 1;
};

/// Decodes to 8-bit RGB: alpha is dropped (colours stay as they are under it), 16 bits are scaled to 8, grey
/// is copied to the three channels. Error(kBadInput) names `name`, the reason and the way out: no image,
/// damaged or cut off (whatever the decoder warns about), more than `max_pixels`, or of a kind whose right
/// values are not known.
ImageFile decode_image_file(std::span<const std::byte> bytes, const std::string& name,
                            std::int64_t max_pixels = kMaxPixels);
RgbImage decode_image(std::span<const std::byte> bytes, const std::string& name,
                      std::int64_t max_pixels = kMaxPixels);
/// ".png", ".jpg", ".bmp" or ".tif" by the first bytes; ".bin" for anything else.
std::string image_ending(std::span<const std::byte> bytes);
RgbImage read_image(const std::filesystem::path& path);

std::vector<std::byte> encode_png(const RgbImage& image);
std::vector<std::byte> encode_png(const Mask& mask);  ///< 0 / 255, single channel
std::vector<std::byte> encode_jpeg(const RgbImage& image, int quality);

}  // namespace glint
