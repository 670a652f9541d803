// TIFF 6.0 and BigTIFF by libtiff from memory: grey, black on white or white on black, palette, RGB; 1 to 16
// bits, packed or not; strips or tiles, interleaved or plane by plane; JPEG inside. What has another meaning
// (printing colours, Lab, floating point, signed numbers, several pages) is refused by name.
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>

#include "glint/image/codec.h"
#include "glint/image/decoder.h"

namespace glint {
namespace {

/// Bytes of a strip or tile that are read whatever the picture's size; larger ones must fit the picture.
constexpr std::uint64_t kSmallChunkBytes = std::uint64_t{1} << 26;
constexpr int kMostPages = 4096;

struct PhotometricName {
  std::uint16_t value;
  const char* name;
};
constexpr std::array<PhotometricName, 9> kRefusedPhotometrics = {
    {{PHOTOMETRIC_MASK, "a transparency mask"},
     {PHOTOMETRIC_SEPARATED, "printing colours (CMYK)"},
     {PHOTOMETRIC_YCBCR, "YCbCr without JPEG"},
     {PHOTOMETRIC_CIELAB, "CIE L*a*b*"},
     {PHOTOMETRIC_ICCLAB, "ICC L*a*b*"},
     {PHOTOMETRIC_ITULAB, "ITU L*a*b*"},
     {PHOTOMETRIC_CFA, "a raw colour mosaic"},
     {PHOTOMETRIC_LOGL, "CIE Log2(L)"},
     {PHOTOMETRIC_LOGLUV, "CIE Log2(L) u' v'"}}};

/// The file in memory, and what libtiff says about it.
struct Source {
  const DecodeRequest& request;
  toff_t at = 0;
  std::array<char, 256> message{};  ///< the first complaint that counts
  bool complained = false;
  bool reading_pixels = false;  ///< from here on a warning counts; before it is about tags that nobody reads
};

tmsize_t source_read(thandle_t handle, void* to, tmsize_t wanted) {
  auto& source = *static_cast<Source*>(handle);
  const std::size_t size = source.request.size();
  if (wanted <= 0 || source.at >= size) return 0;
  const std::size_t n = std::min<std::size_t>(static_cast<std::size_t>(wanted), size - source.at);
  std::memcpy(to, source.request.data() + source.at, n);
  source.at += n;
  return static_cast<tmsize_t>(n);
}
tmsize_t source_write(thandle_t, void*, tmsize_t) {
  return 0;
}
toff_t source_seek(thandle_t handle, toff_t offset, int whence) {
  auto& source = *static_cast<Source*>(handle);
  if (whence == SEEK_SET) source.at = offset;
  if (whence == SEEK_CUR) source.at += offset;
  if (whence == SEEK_END) source.at = source.request.size() + offset;
  return source.at;
}
int source_close(thandle_t) {
  return 0;
}
toff_t source_size(thandle_t handle) {
  return static_cast<Source*>(handle)->request.size();
}

void keep_message(Source& source, const char* format, va_list arguments) {
  if (!source.complained)
    static_cast<void>(std::vsnprintf(source.message.data(), source.message.size(), format, arguments));
  source.complained = true;
}
int on_error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  keep_message(*static_cast<Source*>(user), format, arguments);
  return 1;
}
int on_warning(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  auto& source = *static_cast<Source*>(user);
  if (source.reading_pixels) keep_message(source, format, arguments);
  return 1;
}

using TiffPointer = std::unique_ptr<TIFF, decltype(&TIFFClose)>;

TiffPointer open(Source& source) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                 &TIFFOpenOptionsFree);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, &source);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(std::max<std::uint64_t>(
                                                         kSmallChunkBytes, 16 * std::uint64_t{kMaxPixels})));
  // no mapping (m), no rearranged strips (c)
  TiffPointer tiff(TIFFClientOpenExt("memory", "rmc", &source, source_read, source_write, source_seek,
                                     source_close, source_size, nullptr, nullptr, options.get()),
                   &TIFFClose);
  if (!tiff) refuse(source.request, "does not decode as TIFF ({}); replace it", source.message.data());
  return tiff;
}

template <class Value>
Value field(TIFF* tiff, std::uint32_t tag, Value otherwise) {
  Value value = otherwise;
  return TIFFGetFieldDefaulted(tiff, tag, &value) == 1 ? value : otherwise;
}

/// Goes to the one picture of the file; smaller copies and masks beside it do not count.
void select_page(TIFF* tiff, const DecodeRequest& request) {
  int pages = 0, all = 0;
  tdir_t page = 0;
  do {
    const auto kind = field<std::uint32_t>(tiff, TIFFTAG_SUBFILETYPE, 0);
    if ((kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) == 0) {
      if (pages++ == 0) page = TIFFCurrentDirectory(tiff);
    }
  } while (++all < kMostPages && TIFFReadDirectory(tiff) == 1);
  if (pages > 1) refuse(request, "a TIFF of {} pages; save the one that counts as a file of its own", pages);
  if (TIFFSetDirectory(tiff, page) != 1) refuse(request, "the TIFF's directory is damaged; replace the file");
}

/// How the samples lie in the file.
struct Format {
  std::uint32_t width = 0, height = 0;
  std::uint16_t bits = 1, samples = 1, photometric = PHOTOMETRIC_MINISBLACK, compression = COMPRESSION_NONE;
  bool planes = false;  ///< one after the other, not interleaved
  bool premultiplied = false;
  std::array<const std::uint16_t*, 3> palette{};  ///< 2^bits entries each

  bool is_palette() const { return photometric == PHOTOMETRIC_PALETTE; }
  std::uint64_t raw_bytes() const {
    return (std::uint64_t{width} * bits * samples + 7) / 8 * std::uint64_t{height};
  }
  int colours() const { return photometric == PHOTOMETRIC_RGB || photometric == PHOTOMETRIC_YCBCR ? 3 : 1; }
};

void check_compression(const DecodeRequest& request, std::uint16_t compression) {
  static constexpr std::array<std::uint16_t, 10> kKnown = {
      COMPRESSION_NONE,    COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4,
      COMPRESSION_LZW,     COMPRESSION_JPEG,     COMPRESSION_PACKBITS,  COMPRESSION_ADOBE_DEFLATE,
      COMPRESSION_DEFLATE, COMPRESSION_ZSTD};
  if (std::find(kKnown.begin(), kKnown.end(), compression) == kKnown.end() ||
      TIFFIsCODECConfigured(compression) == 0) {
    refuse(request, "a TIFF with compression {}, which glint does not read; save it uncompressed or as PNG",
           compression);
  }
}

/// So many times can a compression shrink at most; a picture that would need more is not in the file, and is
/// refused before memory is taken for it.
void check_data_size(const DecodeRequest& request, const Format& f) {
  std::uint64_t most = 0;
  if (f.compression == COMPRESSION_NONE) most = 1;
  if (f.compression == COMPRESSION_PACKBITS) most = 64;
  if (f.compression == COMPRESSION_ADOBE_DEFLATE || f.compression == COMPRESSION_DEFLATE) most = 1032;
  if (f.compression == COMPRESSION_LZW) most = 4096;
  if (most > 0 && f.raw_bytes() / most > request.size())
    refuse(request, "the file is cut off; copy it again");
}

void check_photometric(const DecodeRequest& request, const Format& f) {
  if (f.photometric == PHOTOMETRIC_MINISBLACK || f.photometric == PHOTOMETRIC_MINISWHITE ||
      f.photometric == PHOTOMETRIC_RGB || f.is_palette() ||
      (f.photometric == PHOTOMETRIC_YCBCR && f.compression == COMPRESSION_JPEG && !f.planes))
    return;
  for (const PhotometricName& known : kRefusedPhotometrics) {
    if (known.value == f.photometric) refuse(request, "a TIFF in {}; convert it to grey or RGB", known.name);
  }
  refuse(request, "a TIFF of an unknown kind (photometric interpretation {}); convert it to grey or RGB",
         f.photometric);
}

/// Alpha, and nothing else, may stand beside the colours.
void check_extra_samples(TIFF* tiff, const DecodeRequest& request, Format& f) {
  const int extra = f.samples - f.colours();
  if (extra == 0) return;
  std::uint16_t count = 0;
  const std::uint16_t* kinds = nullptr;
  const bool stated = TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds) == 1 && count == 1;
  const bool alpha = stated && (kinds[0] == EXTRASAMPLE_ASSOCALPHA || kinds[0] == EXTRASAMPLE_UNASSALPHA);
  // a fourth sample beside RGB is alpha by custom; a second one beside grey may be anything
  if (extra != 1 || f.is_palette() || (!alpha && f.colours() != 3)) {
    refuse(request, "a TIFF of {} samples per pixel, where glint reads grey, RGB and alpha; convert it",
           f.samples);
  }
  f.premultiplied = stated && kinds[0] == EXTRASAMPLE_ASSOCALPHA;
}

Format read_format(TIFF* tiff, const DecodeRequest& request) {
  Format f;
  f.width = field<std::uint32_t>(tiff, TIFFTAG_IMAGEWIDTH, 0);
  f.height = field<std::uint32_t>(tiff, TIFFTAG_IMAGELENGTH, 0);
  check_size(request, f.width, f.height);
  f.bits = field<std::uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE, 1);
  f.samples = field<std::uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
  f.compression = field<std::uint16_t>(tiff, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  f.planes = field<std::uint16_t>(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
  if (TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &f.photometric) != 1)
    refuse(request, "the TIFF does not say whether 0 is black or white; save it anew");
  const auto sample_format = field<std::uint16_t>(tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  if (sample_format == SAMPLEFORMAT_IEEEFP)
    refuse(request, "floating-point pixels; convert it to 8 or 16 bit");
  if (sample_format == SAMPLEFORMAT_INT) refuse(request, "signed pixels; convert it to 8 or 16 bit unsigned");
  if (sample_format != SAMPLEFORMAT_UINT && sample_format != SAMPLEFORMAT_VOID)
    refuse(request, "complex pixels; convert it to 8 or 16 bit");
  if (f.bits < 1 || f.bits > 16) refuse(request, "{} bits per sample; convert it to 8 or 16 bit", f.bits);
  check_compression(request, f.compression);
  check_data_size(request, f);
  check_photometric(request, f);
  if (f.samples < f.colours())
    refuse(request, "a colour TIFF of {} samples per pixel; convert it to RGB", f.samples);
  check_extra_samples(tiff, request, f);
  if (f.is_palette()) {
    std::uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
    if (f.bits > 8 || TIFFGetField(tiff, TIFFTAG_COLORMAP, &red, &green, &blue) != 1)
      refuse(request, "a TIFF with a palette that is missing or too large; convert it to RGB");
    f.palette = {red, green, blue};
  }
  if (f.photometric == PHOTOMETRIC_YCBCR)
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);  // libjpeg converts
  return f;
}

/// `count` samples of `bits` bits from the start of a row; 16-bit ones in native order, others packed from
/// the high bit (TIFF 6.0, FillOrder 1, which libtiff brings about).
void unpack(const std::uint8_t* row, int bits, std::size_t count, std::uint16_t* out) {
  if (bits == 8) {
    std::copy_n(row, count, out);
  } else if (bits == 16) {
    std::memcpy(out, row, 2 * count);
  } else {
    std::uint32_t held = 0;
    int held_bits = 0;
    for (std::size_t i = 0; i < count; ++i) {
      while (held_bits < bits) {
        held = (held << 8) | *row++;
        held_bits += 8;
      }
      held_bits -= bits;
      out[i] = static_cast<std::uint16_t>((held >> held_bits) & ((1U << bits) - 1));
    }
  }
}

/// Puts the file's samples where they belong.
class SampleWriter {
 public:
  SampleWriter(const Format& format, DecodedImage& out)
      : format_(format), out_(out), most_((1U << format.bits) - 1) {
    if (!format.is_palette()) return;
    // Palettes with no entry above 255 were written as 8 bits (libtiff's rule).
    for (const std::uint16_t* part : format.palette)
      for (unsigned i = 0; i <= most_; ++i) shift_ = part[i] > 255 ? 8 : shift_;
  }

  /// `values` belong to row y from column x on: all samples of each pixel, or those of one plane.
  void write(const std::vector<std::uint16_t>& values, std::size_t columns, std::size_t x, std::size_t y,
             int plane) {
    const auto channels = static_cast<std::size_t>(out_.channels);
    const std::size_t first = (y * static_cast<std::size_t>(out_.width) + x) * channels;
    if (format_.is_palette()) {
      for (std::size_t i = 0; i < columns; ++i)
        for (std::size_t c = 0; c < 3; ++c)
          out_.bytes[first + 3 * i + c] = static_cast<std::uint8_t>(format_.palette[c][values[i]] >> shift_);
      return;
    }
    const std::size_t step = format_.planes ? channels : 1;
    const std::size_t count = format_.planes ? columns : columns * channels;
    const bool inverted = format_.photometric == PHOTOMETRIC_MINISWHITE;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t channel = format_.planes ? static_cast<std::size_t>(plane) : i % channels;
      std::uint32_t value = values[i];
      if (inverted && channel == 0) value = most_ - value;
      const std::size_t at = first + (format_.planes ? channel : 0) + step * i;
      if (out_.depth == 16) {
        out_.words[at] = static_cast<std::uint16_t>((value * std::uint64_t{65535} + most_ / 2) / most_);
      } else {
        out_.bytes[at] = static_cast<std::uint8_t>((value * 255 + most_ / 2) / most_);
      }
    }
  }

 private:
  const Format& format_;
  DecodedImage& out_;
  std::uint32_t most_;
  int shift_ = 0;
};

/// The rectangles that libtiff reads at once: strips or tiles.
struct Chunks {
  bool tiled = false;
  std::uint32_t width = 0, height = 0;
  std::size_t row_bytes = 0, bytes = 0;
};

Chunks read_chunks(TIFF* tiff, const DecodeRequest& request, const Format& f) {
  Chunks c;
  c.tiled = TIFFIsTiled(tiff) != 0;
  if (c.tiled) {
    c.width = field<std::uint32_t>(tiff, TIFFTAG_TILEWIDTH, 0);
    c.height = field<std::uint32_t>(tiff, TIFFTAG_TILELENGTH, 0);
  } else {
    c.width = f.width;
    c.height = std::min(f.height, field<std::uint32_t>(tiff, TIFFTAG_ROWSPERSTRIP, f.height));
  }
  const std::uint64_t row_bits = std::uint64_t{c.width} * f.bits * (f.planes ? 1 : f.samples);
  c.row_bytes = (row_bits + 7) / 8;
  const auto said =
      static_cast<std::uint64_t>(c.tiled ? TIFFTileSize64(tiff) : TIFFVStripSize64(tiff, c.height));
  if (c.width == 0 || c.height == 0 || c.row_bytes * std::uint64_t{c.height} != said ||
      (said > kSmallChunkBytes && said > 2 * f.raw_bytes()))
    refuse(request, "the TIFF's strips or tiles have impossible sizes; replace the file");
  c.bytes = said;
  return c;
}

void read_pixels(TIFF* tiff, Source& source, const Format& f, DecodedImage& out) {
  const Chunks chunks = read_chunks(tiff, source.request, f);
  SampleWriter writer(f, out);
  std::vector<std::uint8_t> buffer(chunks.bytes);
  const std::size_t per_pixel = f.planes ? 1 : f.samples;
  std::vector<std::uint16_t> values(per_pixel * std::min(chunks.width, f.width));
  for (int plane = 0; plane < (f.planes ? f.samples : 1); ++plane) {
    for (std::uint32_t y = 0; y < f.height; y += chunks.height) {
      for (std::uint32_t x = 0; x < f.width; x += chunks.width) {
        const std::uint32_t rows = std::min(chunks.height, f.height - y);
        const std::uint32_t columns = std::min(chunks.width, f.width - x);
        const std::size_t wanted = chunks.tiled ? chunks.bytes : chunks.row_bytes * rows;
        const auto sample = static_cast<std::uint16_t>(plane);
        const tmsize_t got = chunks.tiled
                                 ? TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, x, y, 0, sample),
                                                       buffer.data(), static_cast<tmsize_t>(wanted))
                                 : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, y, sample),
                                                        buffer.data(), static_cast<tmsize_t>(wanted));
        if (got != static_cast<tmsize_t>(wanted) || source.complained) {
          refuse(source.request, "the TIFF is damaged or cut off ({}); copy it again",
                 source.complained ? source.message.data() : "rows are missing");
        }
        for (std::uint32_t row = 0; row < rows; ++row) {
          unpack(&buffer[chunks.row_bytes * row], f.bits, columns * per_pixel, values.data());
          writer.write(values, columns, x, y + row, plane);
        }
      }
    }
  }
}

/// Colours that were multiplied by their alpha become what they were.
template <class Sample>
void unmultiply(std::vector<Sample>& samples, std::size_t channels) {
  constexpr std::uint64_t kFull = std::numeric_limits<Sample>::max();
  for (std::size_t at = 0; at + channels <= samples.size(); at += channels) {
    const std::uint64_t alpha = samples[at + channels - 1];
    if (alpha == kFull || alpha == 0) continue;
    for (std::size_t c = 0; c + 1 < channels; ++c)
      samples[at + c] = static_cast<Sample>(std::min(kFull, (samples[at + c] * kFull + alpha / 2) / alpha));
  }
}

}  // namespace

DecodedImage decode_tiff(const DecodeRequest& request) {
  Source source{request};
  const TiffPointer tiff = open(source);
  select_page(tiff.get(), request);
  const Format format = read_format(tiff.get(), request);
  DecodedImage out;
  out.width = static_cast<int>(format.width);
  out.height = static_cast<int>(format.height);
  out.channels = format.is_palette() ? 3 : format.samples;
  out.depth = format.bits > 8 ? 16 : 8;
  out.declared_depth = format.bits > 8 && format.bits < 16;
  out.lossy = format.compression == COMPRESSION_JPEG;
  const auto orientation = field<std::uint16_t>(tiff.get(), TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  if (orientation >= 1 && orientation <= 8) out.orientation = orientation;
  out.allocate();
  source.reading_pixels = true;
  source.complained = false;
  read_pixels(tiff.get(), source, format, out);
  if (format.premultiplied && out.depth == 16) unmultiply(out.words, static_cast<std::size_t>(out.channels));
  if (format.premultiplied && out.depth == 8) unmultiply(out.bytes, static_cast<std::size_t>(out.channels));
  return out;
}

}  // namespace glint
