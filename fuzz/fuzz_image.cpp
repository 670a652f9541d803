// Pictures and masks: any bytes decode or are refused, and every pixel is a function of the bytes alone.
#include <cstdlib>

#include "glint/base/error.h"
#include "glint/image/codec.h"
#include "glint/image/mask_file.h"

namespace {

constexpr std::int64_t kFewPixels = 1 << 20;  // time goes into many inputs, not into large ones

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
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
