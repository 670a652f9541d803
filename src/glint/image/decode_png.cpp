// PNG (ISO/IEC 15948), all colour types, depths and interlacing. The file is parsed here and inflated by
// libdeflate, five to eight times faster than zlib; every checksum counts.
#include <libdeflate.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "glint/image/decoder.h"

namespace glint {
namespace {

enum ColourType : std::uint8_t { kGrey = 0, kRgb = 2, kPalette = 3, kGreyAlpha = 4, kRgba = 6 };

/// deflate cannot shrink further than 258 bytes to 2 bits.
constexpr std::uint64_t kMostInflation = 1032;

struct PngHeader {
  int width = 0, height = 0;
  int bits = 8;
  ColourType colour = kGrey;
  bool interlaced = false;

  int samples() const {
    switch (colour) {
      case kRgb:
        return 3;
      case kGreyAlpha:
        return 2;
      case kRgba:
        return 4;
      default:
        return 1;
    }
  }
  std::size_t row_bytes(int columns) const {
    return (static_cast<std::size_t>(columns) * samples() * bits + 7) / 8;
  }
};

/// What the chunks hold.
struct Png {
  PngHeader header;
  std::vector<std::uint8_t> joined;          ///< the IDAT chunks, when there are several
  std::span<const std::uint8_t> compressed;  ///< all of them
  std::vector<std::array<std::uint8_t, 3>> palette;
  std::span<const std::uint8_t> transparency;  ///< tRNS
  int orientation = 1;
};

PngHeader read_header(const DecodeRequest& request, std::span<const std::uint8_t> body) {
  if (body.size() != 13) refuse(request, "the PNG header is damaged; replace the file");
  PngHeader h;
  check_size(request, big_endian32(&body[0]), big_endian32(&body[4]));
  h.width = static_cast<int>(big_endian32(&body[0]));
  h.height = static_cast<int>(big_endian32(&body[4]));
  h.bits = body[8];
  h.colour = static_cast<ColourType>(body[9]);
  h.interlaced = body[12] == 1;
  const bool small = h.bits == 1 || h.bits == 2 || h.bits == 4;
  const bool deep = h.bits == 8 || h.bits == 16;
  const bool fits = (h.colour == kGrey && (small || deep)) ||
                    (h.colour == kPalette && (small || h.bits == 8)) ||
                    ((h.colour == kRgb || h.colour == kGreyAlpha || h.colour == kRgba) && deep);
  if (!fits || body[10] != 0 || body[11] != 0 || body[12] > 1)
    refuse(request, "the PNG header is damaged; replace the file");
  return h;
}

void read_palette(const DecodeRequest& request, std::span<const std::uint8_t> body, Png& png) {
  if (body.empty() || body.size() % 3 != 0 || body.size() > 768)
    refuse(request, "the PNG palette is damaged; replace the file");
  png.palette.clear();
  for (std::size_t i = 0; i < body.size(); i += 3) png.palette.push_back({body[i], body[i + 1], body[i + 2]});
}

Png read_chunks(const DecodeRequest& request) {
  const std::uint8_t* p = request.data();
  const std::size_t n = request.size();
  Png png;
  bool header_seen = false, after_data = false, end_seen = false;
  for (std::size_t at = 8; !end_seen;) {
    if (n - at < 12 || n - at - 12 < big_endian32(p + at))
      refuse(request, "the file is cut off; copy it again");
    const std::size_t length = big_endian32(p + at);
    const std::string_view kind(reinterpret_cast<const char*>(p) + at + 4, 4);
    const std::span<const std::uint8_t> body(p + at + 8, length);
    if (libdeflate_crc32(0, p + at + 4, length + 4) != big_endian32(p + at + 8 + length))
      refuse(request, "a checksum of the PNG does not match: the file is damaged; copy it again");
    at += length + 12;
    if (!header_seen) {
      if (kind != "IHDR") refuse(request, "the PNG header is missing; replace the file");
      png.header = read_header(request, body);
      header_seen = true;
    } else if (kind == "IDAT") {
      if (after_data) refuse(request, "the PNG's data is not in one piece; replace the file");
      if (png.compressed.empty()) {
        png.compressed = body;
      } else if (!body.empty()) {
        if (png.joined.empty()) png.joined.assign(png.compressed.begin(), png.compressed.end());
        png.joined.insert(png.joined.end(), body.begin(), body.end());
        png.compressed = png.joined;
      }
    } else if (kind == "PLTE") {
      read_palette(request, body, png);
    } else if (kind == "tRNS") {
      png.transparency = body;
    } else if (kind == "eXIf") {
      png.orientation = exif_orientation(body);
    } else if (kind == "acTL") {
      const std::uint32_t frames = body.size() == 8 ? big_endian32(&body[0]) : 2;
      if (frames != 1)
        refuse(request, "an animated PNG with {} pictures; save the one that counts as a PNG", frames);
    } else if (kind == "IEND") {
      end_seen = true;
    } else if ((static_cast<unsigned char>(kind[0]) & 0x20U) == 0) {
      refuse(request, "a chunk that glint does not know makes this more than a PNG; save it anew as PNG");
    }
    if (!png.compressed.empty() && kind != "IDAT") after_data = true;
  }
  if (png.compressed.empty()) refuse(request, "a PNG without picture data; replace the file");
  if (png.header.colour == kPalette && png.palette.empty())
    refuse(request, "a PNG with a palette that is missing; replace the file");
  return png;
}

/// Pixel (x, y) of pass p lies at (x0 + x dx, y0 + y dy): Adam7 (section 8.2), or the one pass of a plain
/// file.
struct Pass {
  int x0, y0, dx, dy;
  int columns(const PngHeader& h) const { return (h.width - x0 + dx - 1) / dx; }
  int rows(const PngHeader& h) const { return (h.height - y0 + dy - 1) / dy; }
};
constexpr std::array<Pass, 7> kAdam7 = {
    {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}}};
constexpr Pass kWhole = {0, 0, 1, 1};

std::span<const Pass> passes(const PngHeader& h) {
  return h.interlaced ? std::span<const Pass>(kAdam7) : std::span<const Pass>(&kWhole, 1);
}

std::vector<std::uint8_t> inflate(const DecodeRequest& request, const Png& png) {
  std::uint64_t size = 0;
  for (const Pass& pass : passes(png.header)) {
    const int columns = pass.columns(png.header), rows = pass.rows(png.header);
    if (columns > 0 && rows > 0)
      size += (png.header.row_bytes(columns) + 1) * static_cast<std::uint64_t>(rows);
  }
  if (size / kMostInflation > png.compressed.size()) refuse(request, "the file is cut off; copy it again");
  std::vector<std::uint8_t> raw(size);
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> decompressor(
      libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  std::size_t got = 0;
  const auto result = libdeflate_zlib_decompress(decompressor.get(), png.compressed.data(),
                                                 png.compressed.size(), raw.data(), raw.size(), &got);
  if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
    refuse(request, "holds more rows than its header says; save it anew");
  if (result != LIBDEFLATE_SUCCESS)
    refuse(request, "the compressed data is damaged or cut off; copy the file again");
  if (got != raw.size()) refuse(request, "rows are missing; copy the file again");
  return raw;
}

int paeth(int a, int b, int c) {
  const int pa = std::abs(b - c), pb = std::abs(a - c), pc = std::abs(a + b - 2 * c);
  const int not_a = pb <= pc ? b : c;
  return pa <= pb && pa <= pc ? a : not_a;
}

/// Undoes a row's filter (section 9.2): `row` and `out` may be the same, `above` is the finished row before,
/// zeros for the first. A row has whole pixels of `Step` bytes. Left and upper left neighbours stay in
/// registers: what was just written is not read back.
template <std::size_t Step>
bool unfilter_by(int filter, const std::uint8_t* row, const std::uint8_t* above, std::uint8_t* out,
                 std::size_t n) {
  std::array<int, Step> left{}, corner{};
  switch (filter) {
    case 0:
      if (out != row) std::memcpy(out, row, n);
      return true;
    case 1:
      for (std::size_t i = 0; i < n; i += Step) {
        for (std::size_t k = 0; k < Step; ++k)
          out[i + k] = static_cast<std::uint8_t>(left[k] = (row[i + k] + left[k]) & 0xff);
      }
      return true;
    case 2:
      for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::uint8_t>(row[i] + above[i]);
      return true;
    case 3:
      for (std::size_t i = 0; i < n; i += Step) {
        for (std::size_t k = 0; k < Step; ++k)
          out[i + k] =
              static_cast<std::uint8_t>(left[k] = (row[i + k] + (left[k] + above[i + k]) / 2) & 0xff);
      }
      return true;
    case 4:
      for (std::size_t i = 0; i < n; i += Step) {
        for (std::size_t k = 0; k < Step; ++k) {
          const int up = above[i + k];
          left[k] = (row[i + k] + paeth(left[k], up, corner[k])) & 0xff;
          corner[k] = up;
          out[i + k] = static_cast<std::uint8_t>(left[k]);
        }
      }
      return true;
    default:
      return false;
  }
}

void unfilter(const DecodeRequest& request, std::size_t step, int filter, const std::uint8_t* row,
              const std::uint8_t* above, std::uint8_t* out, std::size_t n) {
  bool known = false;
  switch (step) {
    case 1:
      known = unfilter_by<1>(filter, row, above, out, n);
      break;
    case 2:
      known = unfilter_by<2>(filter, row, above, out, n);
      break;
    case 3:
      known = unfilter_by<3>(filter, row, above, out, n);
      break;
    case 4:
      known = unfilter_by<4>(filter, row, above, out, n);
      break;
    case 6:
      known = unfilter_by<6>(filter, row, above, out, n);
      break;
    default:
      known = unfilter_by<8>(filter, row, above, out, n);
  }
  if (!known) refuse(request, "the PNG's data is damaged; copy the file again");
}

/// Where a pixel of the file goes: palette, transparency and small depths are resolved here.
class PixelWriter {
 public:
  PixelWriter(const DecodeRequest& request, const Png& png, DecodedImage& out)
      : request_(request), png_(png), out_(out) {
    const PngHeader& h = png.header;
    const bool keyed = (h.colour == kGrey && png.transparency.size() >= 2) ||
                       (h.colour == kRgb && png.transparency.size() >= 6);
    has_alpha_ = keyed || (h.colour == kPalette && !png.transparency.empty()) || h.colour == kGreyAlpha ||
                 h.colour == kRgba;
    if (keyed) {
      for (int c = 0; c < h.samples(); ++c)
        key_[c] = static_cast<std::uint16_t>((png.transparency[2 * c] << 8) | png.transparency[2 * c + 1]);
    }
    keyed_ = keyed;
    const bool coloured = h.colour == kRgb || h.colour == kRgba || h.colour == kPalette;
    out.width = h.width;
    out.height = h.height;
    out.channels = (coloured ? 3 : 1) + (has_alpha_ ? 1 : 0);
    out.depth = h.bits == 16 ? 16 : 8;
    out.allocate();
  }

  /// True when the finished rows are the output's rows as they are.
  bool plain() const {
    return png_.header.bits == 8 && !png_.header.interlaced && !keyed_ && png_.header.colour != kPalette;
  }

  void write_row(const std::uint8_t* row, int columns, const Pass& pass, int y) {
    const PngHeader& h = png_.header;
    const int samples = h.samples();
    std::size_t at = (static_cast<std::size_t>(y) * h.width + pass.x0) * out_.channels;
    std::array<std::uint16_t, 4> value{};
    for (int x = 0; x < columns; ++x, at += static_cast<std::size_t>(pass.dx) * out_.channels) {
      for (int c = 0; c < samples; ++c) value[c] = sample(row, static_cast<std::size_t>(x) * samples + c);
      if (h.colour == kPalette) {
        put_palette(value[0], at);
        continue;
      }
      bool hidden = keyed_;
      for (int c = 0; c < samples && hidden; ++c) hidden = value[c] == key_[c];
      for (int c = 0; c < samples; ++c) put(at + c, value[c]);
      if (keyed_) put_full(at + samples, !hidden);
    }
  }

 private:
  std::uint16_t sample(const std::uint8_t* row, std::size_t i) const {
    const auto bits = static_cast<std::size_t>(png_.header.bits);
    if (bits == 16) return static_cast<std::uint16_t>((row[2 * i] << 8) | row[2 * i + 1]);
    if (bits == 8) return row[i];
    const std::size_t first = i * bits;
    return static_cast<std::uint16_t>((row[first / 8] >> (8 - bits - first % 8)) & ((1U << bits) - 1));
  }
  void put(std::size_t at, std::uint16_t value) {
    if (out_.depth == 16) {
      out_.words[at] = value;
    } else {
      out_.bytes[at] = static_cast<std::uint8_t>(value * 255U / ((1U << png_.header.bits) - 1));
    }
  }
  void put_full(std::size_t at, bool opaque) {
    if (out_.depth == 16) {
      out_.words[at] = opaque ? 65535 : 0;
    } else {
      out_.bytes[at] = opaque ? 255 : 0;
    }
  }
  void put_palette(std::size_t index, std::size_t at) {
    if (index >= png_.palette.size())
      refuse(request_, "a pixel has colour number {} of a palette of {}; save the file anew", index,
             png_.palette.size());
    for (std::size_t c = 0; c < 3; ++c) out_.bytes[at + c] = png_.palette[index][c];
    if (has_alpha_) out_.bytes[at + 3] = index < png_.transparency.size() ? png_.transparency[index] : 255;
  }

  const DecodeRequest& request_;
  const Png& png_;
  DecodedImage& out_;
  bool has_alpha_ = false, keyed_ = false;
  std::array<std::uint16_t, 3> key_{};
};

}  // namespace

DecodedImage decode_png(const DecodeRequest& request) {
  const Png png = read_chunks(request);
  const PngHeader& h = png.header;
  std::vector<std::uint8_t> raw = inflate(request, png);
  DecodedImage out;
  out.orientation = png.orientation;
  PixelWriter writer(request, png, out);
  const std::size_t step = std::max<std::size_t>(1, static_cast<std::size_t>(h.samples()) * h.bits / 8);
  std::size_t at = 0;
  for (const Pass& pass : passes(h)) {
    const int columns = pass.columns(h), rows = pass.rows(h);
    if (columns <= 0 || rows <= 0) continue;
    const std::size_t n = h.row_bytes(columns);
    const std::vector<std::uint8_t> zeros(n, 0);
    const std::uint8_t* above = zeros.data();
    for (int y = 0; y < rows; ++y, at += n + 1) {
      std::uint8_t* row = &raw[at + 1];
      std::uint8_t* finished = writer.plain() ? &out.bytes[n * static_cast<std::size_t>(y)] : row;
      unfilter(request, step, raw[at], row, above, finished, n);
      if (!writer.plain()) writer.write_row(row, columns, pass, pass.y0 + y * pass.dy);
      above = finished;
    }
  }
  return out;
}

}  // namespace glint
