// PNG files of every kind, byte by byte and uncompressed, for tests.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "glint/base/files.h"

namespace glint {

using Samples = std::vector<std::uint8_t>;

inline Bytes as_bytes(const Samples& samples) {
  const auto view = std::as_bytes(std::span(samples));
  return {view.begin(), view.end()};
}

/// Numbers in either byte order, put one after the other.
class ByteWriter {
 public:
  explicit ByteWriter(bool big_endian) : big_(big_endian) {}
  ByteWriter& put(std::uint64_t value, int bytes) {
    for (int k = 0; k < bytes; ++k) {
      const int shift = 8 * (big_ ? bytes - 1 - k : k);
      data.push_back(static_cast<std::uint8_t>(value >> shift));
    }
    return *this;
  }
  ByteWriter& put(const std::string& text) {
    data.insert(data.end(), text.begin(), text.end());
    return *this;
  }
  ByteWriter& put(const Samples& bytes) {
    data.insert(data.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Samples data;

 private:
  bool big_;
};

inline std::uint32_t crc32_of(const Samples& bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const std::uint8_t b : bytes) {
    crc ^= b;
    for (int k = 0; k < 8; ++k) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xedb88320U : 0);
  }
  return ~crc;
}

inline Samples png_chunk(const std::string& kind, const Samples& body) {
  Samples checked(kind.begin(), kind.end());
  checked.insert(checked.end(), body.begin(), body.end());
  return ByteWriter(true).put(body.size(), 4).put(checked).put(crc32_of(checked), 4).data;
}

/// zlib's format without compression.
inline Samples zlib_stored(const Samples& raw) {
  ByteWriter out(false);
  out.put(0x78, 1).put(0x01, 1);
  for (std::size_t at = 0; at < raw.size() || at == 0;) {
    const std::size_t n = std::min<std::size_t>(raw.size() - at, 65535);
    out.put(at + n == raw.size() ? 1 : 0, 1).put(n, 2).put(~n & 0xffffU, 2);
    out.data.insert(out.data.end(), raw.begin() + static_cast<long>(at),
                    raw.begin() + static_cast<long>(at + n));
    at += n;
    if (n == 0) break;
  }
  std::uint32_t a = 1, b = 0;
  for (const std::uint8_t v : raw) {
    a = (a + v) % 65521;
    b = (b + a) % 65521;
  }
  const Samples adler = ByteWriter(true).put((b << 16) | a, 4).data;
  return out.put(adler).data;
}

struct PngSpec {
  std::uint32_t width = 1, height = 1;
  int bits = 8, colour = 0;    ///< colour type 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA
  Samples rows;                ///< packed rows, without filter bytes
  std::vector<Samples> extra;  ///< chunks between header and data
  bool interlaced = false;
  bool filtered = false;  ///< rows have their filter bytes
};

/// Bytes of all rows with their filter bytes.
inline std::size_t png_raw_size(const PngSpec& spec) {
  static constexpr unsigned kPasses[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                             {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
  static constexpr unsigned kSamples[] = {1, 0, 3, 1, 2, 0, 4};
  const std::size_t bits = kSamples[spec.colour] * static_cast<unsigned>(spec.bits);
  if (!spec.interlaced) return spec.height * ((spec.width * bits + 7) / 8 + 1);
  std::size_t size = 0;
  for (const auto& [x, y, dx, dy] : kPasses) {
    const std::size_t columns = (spec.width + dx - 1 - x) / dx, rows = (spec.height + dy - 1 - y) / dy;
    if (columns > 0) size += rows * ((columns * bits + 7) / 8 + 1);
  }
  return size;
}

inline Bytes png_file(const PngSpec& spec) {
  static constexpr int kSamples[] = {1, 0, 3, 1, 2, 0, 4};
  const std::size_t stride =
      (spec.width * static_cast<std::size_t>(kSamples[spec.colour] * spec.bits) + 7) / 8;
  Samples raw = spec.filtered ? spec.rows : Samples();
  for (std::size_t at = 0; at < spec.rows.size() && !spec.filtered; at += stride) {
    raw.push_back(0);
    raw.insert(raw.end(), spec.rows.begin() + static_cast<long>(at),
               spec.rows.begin() + static_cast<long>(std::min(at + stride, spec.rows.size())));
  }
  ByteWriter out(true);
  out.put("\x89PNG\r\n\x1a\n");
  out.put(png_chunk("IHDR", ByteWriter(true)
                                .put(spec.width, 4)
                                .put(spec.height, 4)
                                .put(spec.bits, 1)
                                .put(spec.colour, 1)
                                .put(0, 2)
                                .put(spec.interlaced ? 1 : 0, 1)
                                .data));
  for (const Samples& chunk : spec.extra) out.put(chunk);
  out.put(png_chunk("IDAT", zlib_stored(raw))).put(png_chunk("IEND", {}));
  return as_bytes(out.data);
}

/// The body of an EXIF block that states nothing but an orientation.
inline Samples exif_block(int orientation) {
  return ByteWriter(true)
      .put("MM")
      .put(42, 2)
      .put(8, 4)
      .put(1, 2)
      .put(0x0112, 2)
      .put(3, 2)
      .put(1, 4)
      .put(static_cast<std::uint64_t>(orientation), 2)
      .put(0, 2)
      .put(0, 4)
      .data;
}

}  // namespace glint
