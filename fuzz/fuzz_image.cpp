// Pictures and masks: any bytes decode or are refused, and every pixel is a function of the bytes alone.
#include <cstdlib>

#include "../tests/image/png_bytes.h"
#include "glint/base/error.h"
#include "glint/image/codec.h"
#include "glint/image/mask_file.h"

namespace {

constexpr std::int64_t kFewPixels = 1 << 20;  // time goes into many inputs, not into large ones

/// A PNG's checksums stop the fuzzer before its rows: bytes that begin so are the rows and header of one
/// whose checksums are right.
constexpr unsigned char kRowsOfPng = 0xfa;

glint::Bytes png_of(std::span<const unsigned char> data) {
  static constexpr int kColours[] = {0, 2, 3, 4, 6};
  const auto at = [&](std::size_t i) { return i < data.size() ? data[i] : std::uint8_t{0}; };
  glint::PngSpec spec;
  spec.width = at(1) % 40U;
  spec.height = at(2) % 40U;
  spec.bits = 1 << at(3) % 5;
  spec.colour = kColours[at(4) % 5];
  spec.interlaced = at(5) % 2 == 1;
  spec.filtered = true;
  const std::size_t colours = 3 * (at(6) % 17U), keys = at(7) % 9U;
  std::size_t next = 8;
  glint::Samples palette, transparency;
  while (palette.size() < colours) palette.push_back(at(next++));
  while (transparency.size() < keys) transparency.push_back(at(next++));
  if (colours > 0) spec.extra.push_back(glint::png_chunk("PLTE", palette));
  if (keys > 0) spec.extra.push_back(glint::png_chunk("tRNS", transparency));
  spec.rows.resize(glint::png_raw_size(spec));
  for (std::uint8_t& v : spec.rows) v = at(next++);
  return glint::png_file(spec);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  glint::Bytes png;
  if (size > 0 && data[0] == kRowsOfPng) png = png_of({data, size});
  const auto bytes = png.empty() ? std::as_bytes(std::span(data, size)) : std::span<const std::byte>(png);
  try {
    const glint::RgbImage image = glint::decode_image(bytes, "fuzz", kFewPixels);
    if (image.pixels != glint::decode_image(bytes, "fuzz", kFewPixels).pixels) std::abort();
  } catch (const glint::Error&) {
  }
  for (const glint::MaskRule rule : {glint::MaskRule::kAboveHalf, glint::MaskRule::kNonZero}) {
    try {
      const glint::MaskFile file = glint::decode_mask_file(bytes, "fuzz", rule, kFewPixels);
      for (const std::uint8_t v : file.mask.pixels)
        if (v > 1) std::abort();
    } catch (const glint::Error&) {
    }
  }
  return 0;
}
