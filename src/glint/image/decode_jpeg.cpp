// JPEG (ITU-T T.81: baseline, extended, progressive, arithmetic; 8 bits) by libjpeg-turbo with its defaults:
// accurate integer transform, smooth upsampling. libjpeg fills what is damaged or missing and only warns;
// here a warning is a refusal.
#include <cstdio>  // jpeglib.h needs it before

#include <jpeglib.h>

#include <jerror.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <optional>
#include <string_view>

#include "glint/image/decoder.h"

namespace glint {
namespace {

/// Progressive files of common programs have 10 scans; each costs a pass over the picture.
constexpr int kMostScans = 200;

/// What the markers say, read before libjpeg sees the file.
struct Structure {
  int width = 0, height = 0, components = 0, bits = 0;
  bool lossless = false;
  int scans = 0;
  std::array<bool, 256> in_a_scan{};  ///< component ids
  std::array<std::uint8_t, 4> ids{};
  int orientation = 1;
  bool ended = false;  ///< the end mark was there
};

/// The first marker at or after `at` that is no restart: the end of a scan's data.
std::size_t end_of_scan(const std::uint8_t* p, std::size_t n, std::size_t at) {
  while (at + 1 < n) {
    const auto* found = static_cast<const std::uint8_t*>(std::memchr(p + at, 0xff, n - at - 1));
    if (found == nullptr) return n;
    at = static_cast<std::size_t>(found - p);
    const unsigned next = p[at + 1];
    if (next != 0x00 && next != 0xff && (next < 0xd0 || next > 0xd7)) return at;
    at += next == 0xff ? 1 : 2;
  }
  return n;
}

Structure read_structure(const DecodeRequest& request) {
  static constexpr std::string_view kExif("Exif\0\0", 6);
  const std::uint8_t* p = request.data();
  const std::size_t n = request.size();
  Structure s;
  for (std::size_t at = 2; at + 1 < n;) {
    if (p[at] != 0xff || p[at + 1] == 0xff) {  // fill, or stray bytes, of which libjpeg warns
      ++at;
      continue;
    }
    const unsigned marker = p[at + 1];
    if (marker == 0xd9) {
      s.ended = true;
      break;
    }
    if (marker == 0x00 || marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2;
      continue;
    }
    if (n - at < 4) break;
    const std::size_t length = (std::size_t{p[at + 2]} << 8) | p[at + 3];
    if (length < 2 || n - at - 2 < length) break;
    const std::span<const std::uint8_t> body(p + at + 4, length - 2);
    at += 2 + length;
    if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc) {
      if (body.size() < 6) break;
      s.bits = body[0];
      s.height = (body[1] << 8) | body[2];
      s.width = (body[3] << 8) | body[4];
      s.components = body[5];
      for (std::size_t c = 0; c < 4 && 8 + 3 * c < body.size(); ++c) s.ids[c] = body[6 + 3 * c];
      s.lossless = marker == 0xc3 || marker == 0xc7 || marker == 0xcb || marker == 0xcf;
    } else if (marker == 0xe1 && body.size() > 6 && std::memcmp(body.data(), kExif.data(), 6) == 0) {
      s.orientation = exif_orientation(body.subspan(6));
    } else if (marker == 0xda) {
      ++s.scans;
      for (std::size_t c = 0; !body.empty() && c < body[0] && 1 + 2 * c < body.size(); ++c)
        s.in_a_scan[body[1 + 2 * c]] = true;
      at = end_of_scan(p, n, at);
    }
  }
  return s;
}

void check_structure(const DecodeRequest& request, const Structure& s) {
  if (s.components == 0) refuse(request, "a JPEG without a picture in it; replace the file");
  if (s.lossless) refuse(request, "a lossless JPEG; save it as PNG");
  if (s.bits != 8) refuse(request, "a JPEG of {} bits; save it as PNG or TIFF", s.bits);
  if (s.components == 4) refuse(request, "a JPEG in four printing colours (CMYK); convert it to RGB");
  if (s.components != 1 && s.components != 3)
    refuse(request, "a JPEG of {} components; convert it to grey or RGB", s.components);
  check_size(request, static_cast<std::uint64_t>(s.width), static_cast<std::uint64_t>(s.height));
  if (!s.ended) refuse(request, "the file is cut off; copy it again");
  for (int c = 0; c < s.components; ++c) {
    if (!s.in_a_scan[s.ids[c]]) refuse(request, "the JPEG is incomplete: colours are missing; copy it again");
  }
  if (s.scans > kMostScans)
    refuse(request, "a JPEG of {} scans, more than the {} glint reads; save it anew", s.scans, kMostScans);
}

/// libjpeg's objects. Its errors jump to `jump`; nothing that a jump passes over has a destructor.
struct Reader {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf jump{};
  std::array<char, JMSG_LENGTH_MAX> message{};  ///< the first warning, or the error
  bool warned = false;
};

Reader& reader_of(j_common_ptr info) {
  return *static_cast<Reader*>(info->client_data);
}

void give_up(j_common_ptr info) {
  Reader& reader = reader_of(info);
  info->err->format_message(info, reader.message.data());
  std::longjmp(reader.jump, 1);  // NOLINT(cert-err52-cpp): the one way out that libjpeg leaves
}

void note(j_common_ptr info, int level) {
  if (level >= 0 || info->err->msg_code == JWRN_JFIF_MAJOR) return;  // a version number harms nothing
  Reader& reader = reader_of(info);
  if (!reader.warned) info->err->format_message(info, reader.message.data());
  reader.warned = true;
}

/// Runs calls into libjpeg; false when it gave up.
template <class Step>
bool run(Reader& reader, const Step& step) {
  if (setjmp(reader.jump) != 0) return false;  // NOLINT(cert-err52-cpp)
  step();
  return true;
}

/// libjpeg must be told to let go of its memory however the way ends.
class Session {
 public:
  Session() {
    reader.info.err = jpeg_std_error(&reader.errors);
    reader.info.client_data = &reader;
    reader.errors.error_exit = give_up;
    reader.errors.emit_message = note;
  }
  ~Session() { jpeg_destroy_decompress(&reader.info); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  Reader reader;
};

/// A progressive file that ends between two scans decodes to a coarse picture without a warning.
bool refined(const jpeg_decompress_struct& info) {
  if (info.coef_bits == nullptr) return true;
  for (int c = 0; c < info.num_components; ++c) {
    for (int k = 0; k < DCTSIZE2; ++k) {
      if (info.coef_bits[c][k] != 0) return false;
    }
  }
  return true;
}

}  // namespace

DecodedImage decode_jpeg(const DecodeRequest& request) {
  const Structure structure = read_structure(request);
  check_structure(request, structure);
  DecodedImage out;
  out.width = structure.width;
  out.height = structure.height;
  out.channels = structure.components;
  out.orientation = structure.orientation;
  out.lossy = true;
  out.allocate();

  Session session;
  Reader& reader = session.reader;
  jpeg_decompress_struct& info = reader.info;
  bool complete = true;
  const auto stride = static_cast<std::size_t>(out.width) * static_cast<std::size_t>(out.channels);
  const bool decoded = run(reader, [&] {
    jpeg_create_decompress(&info);
    info.client_data = &reader;
    jpeg_mem_src(&info, request.data(), static_cast<unsigned long>(request.size()));
    jpeg_read_header(&info, TRUE);
    info.out_color_space = out.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(&info);
    if (info.output_width != static_cast<JDIMENSION>(out.width) ||
        info.output_height != static_cast<JDIMENSION>(out.height) || info.output_components != out.channels) {
      complete = false;
      return;
    }
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = &out.bytes[stride * info.output_scanline];
      jpeg_read_scanlines(&info, &row, 1);
    }
    complete = refined(info);
    jpeg_finish_decompress(&info);
  });
  if (!decoded) refuse(request, "does not decode as JPEG ({}); replace it", reader.message.data());
  if (reader.warned) refuse(request, "the JPEG is damaged ({}); copy it again", reader.message.data());
  if (!complete) refuse(request, "the JPEG is incomplete: its last scans are missing; copy it again");
  return out;
}

}  // namespace glint
