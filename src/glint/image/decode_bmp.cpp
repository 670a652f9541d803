// BMP: Windows headers of 40 to 124 bytes and OS/2's (12, 16 and 64 bytes), 1 to 32 bits per pixel, channel
// masks, either row order. Run-length coded files and those that wrap a JPEG or PNG are refused.
#include <array>
#include <bit>

#include "glint/image/decoder.h"

namespace glint {
namespace {

constexpr std::uint32_t kCoreHeader = 12;               // BITMAPCOREHEADER
constexpr std::uint32_t kShortOs2 = 16, kLongOs2 = 64;  // OS22XBITMAPHEADER
constexpr std::uint32_t kInfoHeader = 40;               // BITMAPINFOHEADER; versions 2 to 5 are longer
enum Compression : std::uint32_t {
  kPlain = 0,
  kRle8 = 1,
  kRle4 = 2,
  kMasks = 3,
  kJpeg = 4,
  kPng = 5,
  kAlphaMasks = 6
};

/// Bits of a pixel's number that hold one colour.
struct ChannelMask {
  std::uint32_t mask = 0;

  std::uint8_t value(std::uint32_t pixel) const {
    if (mask == 0) return 0;
    const std::uint64_t most = mask >> std::countr_zero(mask);
    const std::uint64_t v = (pixel & mask) >> std::countr_zero(mask);
    return static_cast<std::uint8_t>((v * 255 + most / 2) / most);
  }
  bool contiguous() const {
    return mask == 0 || std::has_single_bit((std::uint64_t{mask} >> std::countr_zero(mask)) + 1);
  }
};

struct BmpHeader {
  std::uint64_t width = 0, height = 0;
  bool top_down = false;
  std::uint32_t bits = 0, compression = kPlain, colours = 0;
  std::size_t palette_at = 0, palette_step = 4;
  std::array<ChannelMask, 3> masks;
};

/// Little-endian numbers; the caller has checked that they are inside.
class BmpReader {
 public:
  explicit BmpReader(const DecodeRequest& request) : request_(request) {}
  std::uint32_t number(std::size_t at, int bytes) const {
    if (at > request_.size() || request_.size() - at < static_cast<std::size_t>(bytes))
      refuse(request_, "the file is cut off; copy it again");
    std::uint32_t value = 0;
    for (int k = bytes; k-- > 0;) value = (value << 8) | request_.data()[at + static_cast<std::size_t>(k)];
    return value;
  }

 private:
  const DecodeRequest& request_;
};

void read_masks(const DecodeRequest& request, const BmpReader& in, std::uint32_t header_size, BmpHeader& h) {
  if (h.compression == kMasks || h.compression == kAlphaMasks) {
    for (std::size_t c = 0; c < 3; ++c) h.masks[c].mask = in.number(14 + kInfoHeader + 4 * c, 4);
    if (header_size == kInfoHeader) h.palette_at += h.compression == kMasks ? 12 : 16;
  } else if (h.bits == 16) {
    h.masks = {{{0x7c00}, {0x03e0}, {0x001f}}};
  } else {
    h.masks = {{{0xff0000}, {0x00ff00}, {0x0000ff}}};
  }
  const std::uint32_t beyond = h.bits == 16 ? 0xffff0000U : 0;
  for (const ChannelMask& channel : h.masks) {
    if (channel.mask == 0 || !channel.contiguous() || (channel.mask & beyond) != 0)
      refuse(request, "the BMP's colour masks are damaged; save it anew");
  }
}

BmpHeader read_header(const DecodeRequest& request) {
  const BmpReader in(request);
  const std::uint32_t size = in.number(14, 4);
  BmpHeader h;
  h.palette_at = 14 + std::size_t{size};
  if (size == kCoreHeader) {
    h.width = in.number(18, 2);
    h.height = in.number(20, 2);
    h.bits = in.number(24, 2);
    h.palette_step = 3;
  } else if (size == kShortOs2 || size == kLongOs2 || (size >= kInfoHeader && size <= 256)) {
    const auto height = static_cast<std::int32_t>(in.number(22, 4));
    h.width = in.number(18, 4);
    h.top_down = height < 0;
    h.height = static_cast<std::uint64_t>(std::abs(static_cast<std::int64_t>(height)));
    h.bits = in.number(28, 2);
    if (size != kShortOs2) {
      h.compression = in.number(30, 4);
      h.colours = in.number(46, 4);
    }
    if (size == kLongOs2 && h.compression > kRle4)
      refuse(request, "an OS/2 BMP with a compression that glint does not read; save it as PNG");
  } else {
    refuse(request, "a BMP with a header of {} bytes, which glint does not know; save it as PNG", size);
  }
  if (h.compression == kRle8 || h.compression == kRle4)
    refuse(request, "a run-length coded BMP; save it uncompressed or as PNG");
  if (h.compression == kJpeg || h.compression == kPng)
    refuse(request, "a BMP that wraps a JPEG or PNG; save it as PNG");
  const bool masked = h.compression == kMasks || h.compression == kAlphaMasks;
  if (h.compression > kAlphaMasks || (masked && h.bits != 16 && h.bits != 32))
    refuse(request, "a BMP with a compression that glint does not know; save it as PNG");
  check_size(request, h.width, h.height);
  read_masks(request, in, size, h);
  return h;
}

std::vector<std::array<std::uint8_t, 3>> read_palette(const DecodeRequest& request, const BmpHeader& h,
                                                      std::size_t pixels_at) {
  const std::size_t most = std::size_t{1} << h.bits;
  std::size_t count = h.colours == 0 || h.colours > most ? most : h.colours;
  // Some writers count 256 colours and store fewer: the pixels begin where the palette must end.
  if (pixels_at > h.palette_at) count = std::min(count, (pixels_at - h.palette_at) / h.palette_step);
  std::vector<std::array<std::uint8_t, 3>> palette(count);
  if (h.palette_at + count * h.palette_step > request.size())
    refuse(request, "the file is cut off; copy it again");
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* bgr = request.data() + h.palette_at + i * h.palette_step;
    palette[i] = {bgr[2], bgr[1], bgr[0]};
  }
  return palette;
}

}  // namespace

DecodedImage decode_bmp(const DecodeRequest& request) {
  const BmpHeader h = read_header(request);
  const std::size_t pixels_at = BmpReader(request).number(10, 4);
  const std::size_t stride = (static_cast<std::size_t>(h.width) * h.bits + 31) / 32 * 4;
  if (h.bits != 1 && h.bits != 4 && h.bits != 8 && h.bits != 16 && h.bits != 24 && h.bits != 32)
    refuse(request, "a BMP of {} bits per pixel, which glint does not know; save it as PNG", h.bits);
  if (pixels_at < h.palette_at || pixels_at > request.size())
    refuse(request, "the BMP's header is damaged (its pixels begin at byte {}); replace the file", pixels_at);
  // The last row may lack its padding.
  const std::size_t needed = stride * (h.height - 1) + (static_cast<std::size_t>(h.width) * h.bits + 7) / 8;
  if (request.size() - pixels_at < needed) refuse(request, "the file is cut off; copy it again");
  const auto palette =
      h.bits <= 8 ? read_palette(request, h, pixels_at) : std::vector<std::array<std::uint8_t, 3>>();
  DecodedImage out;
  out.width = static_cast<int>(h.width);
  out.height = static_cast<int>(h.height);
  out.channels = 3;
  out.allocate();
  std::uint8_t* to = out.bytes.data();
  for (std::size_t y = 0; y < h.height; ++y) {
    const std::uint8_t* row = request.data() + pixels_at + stride * (h.top_down ? y : h.height - 1 - y);
    for (std::size_t x = 0; x < h.width; ++x, to += 3) {
      if (h.bits <= 8) {
        const std::size_t first = x * h.bits;
        const std::size_t index = (row[first / 8] >> (8 - h.bits - first % 8)) & ((1U << h.bits) - 1);
        if (index >= palette.size())
          refuse(request, "a pixel has colour number {} of a palette of {}; save the file anew", index,
                 palette.size());
        std::copy(palette[index].begin(), palette[index].end(), to);
      } else if (h.bits == 24) {
        to[0] = row[3 * x + 2];
        to[1] = row[3 * x + 1];
        to[2] = row[3 * x];
      } else {
        std::uint32_t pixel = 0;
        for (std::size_t k = h.bits / 8; k-- > 0;) pixel = (pixel << 8) | row[x * h.bits / 8 + k];
        for (std::size_t c = 0; c < 3; ++c) to[c] = h.masks[c].value(pixel);
      }
    }
  }
  return out;
}

}  // namespace glint
