// Image files in and out. PNG, JPEG, BMP and TIFF; grey, RGB, RGBA and 16 bit; EXIF orientation is applied.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "glint/image/image.h"

namespace glint {

/// Largest number of pixels an image from outside may have; more is refused before it is decoded.
inline constexpr std::int64_t kMaxPixels = 100'000'000;

/// True for the file endings this room reads.
bool is_image_file(const std::filesystem::path& path);

/// Decodes to 8-bit RGB: alpha is dropped, 16 bits are scaled to 8, grey is copied to the three channels.
/// Error(kBadInput) names `name` when the bytes are no image, were cut off, or have more than `max_pixels`.
RgbImage decode_image(std::span<const std::byte> bytes, const std::string& name,
                      std::int64_t max_pixels = kMaxPixels);
/// ".png", ".jpg", ".bmp" or ".tif" by the first bytes; ".bin" for anything else.
std::string image_ending(std::span<const std::byte> bytes);
RgbImage read_image(const std::filesystem::path& path);

/// Which values of a mask file are a defect: those above half of the range, or all but 0 (files that number
/// the defects, as VisA's).
enum class MaskRule { kAboveHalf, kNonZero };

struct MaskFile {
  Mask mask;
  double grey_share = 0;  ///< neither black nor white under kAboveHalf: 0 for a binary mask
};

/// Error(kBadInput) when it does not decode.
MaskFile read_mask_file(const std::filesystem::path& path, MaskRule rule = MaskRule::kAboveHalf);
Mask read_mask(const std::filesystem::path& path, MaskRule rule = MaskRule::kAboveHalf);

std::vector<std::byte> encode_png(const RgbImage& image);
std::vector<std::byte> encode_png(const Mask& mask);  ///< 0 / 255, single channel
std::vector<std::byte> encode_jpeg(const RgbImage& image, int quality);

}  // namespace glint
