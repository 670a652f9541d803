// Which format a file is, by its first bytes: the four that are read, and the ones that are often mistaken
// for them, so that the refusal can say what the file is.
#include <algorithm>
#include <array>
#include <string_view>

#include "glint/image/codec.h"
#include "glint/image/decoder.h"

namespace glint {
namespace {

using namespace std::string_view_literals;

enum class FileKind { kPng, kJpeg, kBmp, kTiff, kOther };

struct Signature {
  std::size_t at;
  std::string_view bytes;
  const char* name = "";
  FileKind kind = FileKind::kOther;
};

/// The first that fits is taken, so the narrower ones come first.
constexpr std::array kSignatures = {
    Signature{0, "\x89PNG\r\n\x1a\n"sv, "", FileKind::kPng},
    Signature{0, "\xff\xd8\xff"sv, "", FileKind::kJpeg},
    Signature{0, "BM"sv, "", FileKind::kBmp},
    Signature{0, "II*\0"sv, "", FileKind::kTiff},
    Signature{0, "MM\0*"sv, "", FileKind::kTiff},
    Signature{0, "II+\0"sv, "", FileKind::kTiff},  // BigTIFF
    Signature{0, "MM\0+"sv, "", FileKind::kTiff},
    Signature{0, "GIF8"sv, "a GIF"},
    Signature{8, "WEBP"sv, "a WebP"},
    Signature{4, "ftypavif"sv, "an AVIF"},
    Signature{4, "ftypavis"sv, "an AVIF"},
    Signature{4, "ftyphei"sv, "an HEIC"},
    Signature{4, "ftyphev"sv, "an HEIC"},
    Signature{4, "ftypmif1"sv, "an HEIC"},
    Signature{4, "ftypmsf1"sv, "an HEIC"},
    Signature{4, "ftypcrx"sv, "a camera's raw (CR3)"},
    Signature{4, "ftyp"sv, "a video (MP4 or MOV)"},
    Signature{4, "jP  \r\n\x87\n"sv, "a JPEG 2000"},
    Signature{0, "\xff\x4f\xff\x51"sv, "a JPEG 2000"},
    Signature{4, "JXL \r\n\x87\n"sv, "a JPEG XL"},
    Signature{0, "\xff\x0a"sv, "a JPEG XL"},
    Signature{0, "II\xbc"sv, "a JPEG XR"},
    Signature{0, "8BPS"sv, "a Photoshop"},
    Signature{0, "v/1\x01"sv, "an OpenEXR"},
    Signature{0, "#?RADIANCE"sv, "a Radiance HDR"},
    Signature{0, "\x8bJNG"sv, "a JNG"},
    Signature{0, "\x8aMNG"sv, "an MNG"},
    Signature{0, "\0\0\x01\0"sv, "an icon (ICO)"},
    Signature{0, "P1\n"sv, "a PBM"},
    Signature{0, "P2\n"sv, "a PGM"},
    Signature{0, "P3\n"sv, "a PPM"},
    Signature{0, "P4\n"sv, "a PBM"},
    Signature{0, "P5\n"sv, "a PGM"},
    Signature{0, "P6\n"sv, "a PPM"},
    Signature{0, "P7\n"sv, "a PAM"},
    Signature{128, "DICM"sv, "a DICOM"},
    Signature{0, "SIMPLE  ="sv, "a FITS"},
    Signature{0, "\x93NUMPY"sv, "a NumPy"},
    Signature{0, "%PDF"sv, "a PDF"},
    Signature{0, "PK\x03\x04"sv, "a ZIP"},
    Signature{0, "version https://git-lfs"sv, "a Git LFS pointer"},
    Signature{0, "\0\x05\x16\x07"sv, "a macOS AppleDouble"},
    Signature{0, "<"sv, "an HTML, SVG or XML"},
};

const Signature* recognise(std::span<const std::byte> bytes) {
  const auto* first = reinterpret_cast<const char*>(bytes.data());
  const auto found = std::find_if(kSignatures.begin(), kSignatures.end(), [&](const Signature& s) {
    return bytes.size() >= s.at + s.bytes.size() && std::equal(s.bytes.begin(), s.bytes.end(), first + s.at);
  });
  return found == kSignatures.end() ? nullptr : &*found;
}

}  // namespace

void check_size(const DecodeRequest& request, std::uint64_t width, std::uint64_t height) {
  if (width == 0 || height == 0) refuse(request, "the picture has no pixels; replace the file");
  // an unsigned side of 32 bits twice cannot overflow
  if (width * height > static_cast<std::uint64_t>(request.max_pixels)) {
    refuse(request, "{}x{} are {} pixels, more than the {} glint accepts; scale it down", width, height,
           width * height, request.max_pixels);
  }
  if (width > kMaxSide || height > kMaxSide) {
    refuse(request, "{}x{} pixels: no side may be longer than {}; cut it into pieces", width, height,
           kMaxSide);
  }
}

DecodedImage decode_file(const DecodeRequest& request) {
  if (request.bytes.empty()) refuse(request, "the file is empty; replace or remove it");
  const Signature* found = recognise(request.bytes);
  if (found == nullptr) refuse(request, "does not decode as PNG, JPEG, BMP or TIFF; replace or remove it");
  switch (found->kind) {
    case FileKind::kPng:
      return decode_png(request);
    case FileKind::kJpeg:
      return decode_jpeg(request);
    case FileKind::kBmp:
      return decode_bmp(request);
    case FileKind::kTiff:
      return decode_tiff(request);
    case FileKind::kOther:
      break;
  }
  refuse(request, "is {} file, which glint does not read; save it as PNG, JPEG, BMP or TIFF", found->name);
}

std::string image_ending(std::span<const std::byte> bytes) {
  const Signature* found = recognise(bytes);
  switch (found == nullptr ? FileKind::kOther : found->kind) {
    case FileKind::kPng:
      return ".png";
    case FileKind::kJpeg:
      return ".jpg";
    case FileKind::kBmp:
      return ".bmp";
    case FileKind::kTiff:
      return ".tif";
    case FileKind::kOther:
      break;
  }
  return ".bin";
}

}  // namespace glint
