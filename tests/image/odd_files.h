// Image files of every kind, byte by byte or with the formats' own libraries, for tests of the decoders.
#pragma once

#include <cstdio>  // jpeglib.h needs it before

#include <gtest/gtest.h>
#include <jpeglib.h>
#include <tiffio.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/image/codec.h"
#include "image/png_bytes.h"

namespace glint {

struct TiffSpec {
  std::uint32_t width = 1, height = 1;
  int bits = 8, samples = 1, photometric = PHOTOMETRIC_MINISBLACK, planar = PLANARCONFIG_CONTIG;
  int compression = COMPRESSION_NONE, sample_format = 0, orientation = 0;
  std::uint32_t rows_per_strip = 0, tile = 0;  ///< 0: one strip
  std::vector<Samples> chunks;                 ///< decoded strips or tiles in the file's order
  std::vector<std::uint16_t> extra_samples;
  std::vector<std::uint16_t> red, green, blue;  ///< palette
  std::vector<std::uint32_t> page_kinds = {0};  ///< NewSubfileType of each page; all have these chunks
  const char* mode = "w";                       ///< "wb" big-endian, "wl" little, "w8" BigTIFF
};

inline Bytes tiff_file(const TiffSpec& spec) {
  const auto path =
      std::filesystem::temp_directory_path() / ("glint-odd-" + std::to_string(::getpid()) + ".tif");
  TIFF* tiff = TIFFOpen(path.c_str(), spec.mode);
  EXPECT_NE(tiff, nullptr);
  for (const std::uint32_t kind : spec.page_kinds) {
    TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, kind);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, spec.width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, spec.height);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, spec.bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, spec.samples);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, spec.photometric);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, spec.planar);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, spec.compression);
    if (spec.sample_format != 0) TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, spec.sample_format);
    if (spec.orientation != 0) TIFFSetField(tiff, TIFFTAG_ORIENTATION, spec.orientation);
    if (!spec.extra_samples.empty())
      TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, spec.extra_samples.size(), spec.extra_samples.data());
    if (!spec.red.empty())
      TIFFSetField(tiff, TIFFTAG_COLORMAP, spec.red.data(), spec.green.data(), spec.blue.data());
    if (spec.tile > 0) {
      TIFFSetField(tiff, TIFFTAG_TILEWIDTH, spec.tile);
      TIFFSetField(tiff, TIFFTAG_TILELENGTH, spec.tile);
    } else {
      TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, spec.rows_per_strip > 0 ? spec.rows_per_strip : spec.height);
    }
    if (spec.compression == COMPRESSION_JPEG && spec.photometric == PHOTOMETRIC_YCBCR)
      TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    for (std::uint32_t i = 0; i < spec.chunks.size(); ++i) {
      Samples chunk = spec.chunks[i];
      const auto size = static_cast<tmsize_t>(chunk.size());
      const tmsize_t put = spec.tile > 0 ? TIFFWriteEncodedTile(tiff, i, chunk.data(), size)
                                         : TIFFWriteEncodedStrip(tiff, i, chunk.data(), size);
      EXPECT_EQ(put, size);
    }
    TIFFWriteDirectory(tiff);
  }
  TIFFClose(tiff);
  Bytes out = read_file(path);
  std::filesystem::remove(path);
  return out;
}

struct JpegSpec {
  int width = 1, height = 1, components = 3, quality = 95;
  J_COLOR_SPACE stored = JCS_UNKNOWN;  ///< JCS_UNKNOWN: libjpeg's choice
  unsigned restart_interval = 0;       ///< in MCUs
  bool progressive = false, arithmetic = false;
  Samples pixels;
};

inline Bytes jpeg_file(const JpegSpec& spec) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* data = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &data, &size);
  info.image_width = static_cast<JDIMENSION>(spec.width);
  info.image_height = static_cast<JDIMENSION>(spec.height);
  info.input_components = spec.components;
  info.in_color_space = spec.components == 1 ? JCS_GRAYSCALE : spec.components == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_set_defaults(&info);
  if (spec.stored != JCS_UNKNOWN) jpeg_set_colorspace(&info, spec.stored);
  jpeg_set_quality(&info, spec.quality, TRUE);
  info.restart_interval = spec.restart_interval;
  info.arith_code = spec.arithmetic ? TRUE : FALSE;
  if (spec.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  Samples pixels = spec.pixels;
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = &pixels[static_cast<std::size_t>(info.next_scanline) * spec.width * spec.components];
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const Bytes out = as_bytes(Samples(data, data + size));
  std::free(data);  // NOLINT: libjpeg's memory
  return out;
}

/// Smooth with noise, like a photograph.
inline Samples photograph(int width, int height, int channels, unsigned seed) {
  std::mt19937 random(seed);
  Samples out;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < channels; ++c)
        out.push_back(static_cast<std::uint8_t>(40 + (3 * x + 2 * y + 50 * c) % 180 + random() % 20));
  return out;
}

/// What decode_image says when it refuses; empty when it does not.
inline std::string refusal(const Bytes& file, const std::string& name = "file") {
  try {
    decode_image(file, name);
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).find(name), 0U) << e.what();
    return e.what();
  }
  return "";
}

inline ::testing::AssertionResult mentions(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "'" << text << "' does not mention '" << part << "'";
}

}  // namespace glint
