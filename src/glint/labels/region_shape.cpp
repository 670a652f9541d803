#include "glint/labels/region_shape.h"

#include <cmath>
#include <cstdlib>
#include <string>

#include "glint/image/codec.h"
#include "glint/labels/label_json.h"

namespace glint {
namespace {

class BitReader {
 public:
  explicit BitReader(const std::vector<std::uint8_t>& bytes) : bytes_(bytes) {}
  std::uint64_t read(int bits) {
    if (at_ + static_cast<std::size_t>(bits) > 8 * bytes_.size()) refuse_entry("the brush code is cut off");
    std::uint64_t out = 0;
    for (int i = 0; i < bits; ++i, ++at_) out = (out << 1) | ((bytes_[at_ / 8] >> (7 - at_ % 8)) & 1U);
    return out;
  }

 private:
  const std::vector<std::uint8_t>& bytes_;
  std::size_t at_ = 0;
};

/// Collects values in order as runs.
class RunBuilder {
 public:
  void add(bool inside, std::int64_t length) {
    if (length <= 0) return;
    if (inside != inside_) {
      runs_.push_back(0);
      inside_ = inside;
    }
    runs_.back() += length;
  }
  std::vector<std::int64_t> take() { return std::move(runs_); }

 private:
  std::vector<std::int64_t> runs_ = {0};
  bool inside_ = false;
};

}  // namespace

RunShape runs_of(const Mask& mask) {
  RunBuilder runs;
  for (const std::uint8_t v : mask.pixels) runs.add(v != 0, 1);
  return {mask.width, mask.height, false, runs.take()};
}

RunShape decode_brush(const std::vector<std::uint8_t>& code, int width, int height) {
  check_image_size(width, height);
  BitReader bits(code);
  const auto total = static_cast<std::int64_t>(bits.read(32));
  if (total != 4 * static_cast<std::int64_t>(width) * height) {
    refuse_entry(fmt::format("its brush code holds {} values, {} are needed for {}x{} RGBA", total,
                             4 * static_cast<std::int64_t>(width) * height, width, height));
  }
  const int word = static_cast<int>(bits.read(5)) + 1;
  int sizes[4];
  for (int& size : sizes) size = static_cast<int>(bits.read(4)) + 1;
  const auto threshold = std::uint64_t{1} << (word - 1);  // 128 of 8 bits
  RunBuilder alpha;
  for (std::int64_t at = 0; at < total;) {
    const bool repeated = bits.read(1) != 0;
    const auto length = static_cast<std::int64_t>(bits.read(sizes[bits.read(2)])) + 1;
    if (length > total - at) refuse_entry("its brush code is longer than its image");
    if (repeated) {
      const bool inside = bits.read(word) >= threshold;
      // values at positions 3, 7, 11 ... are alpha
      alpha.add(inside, (at + length) / 4 - at / 4);
    } else {
      for (std::int64_t i = at; i < at + length; ++i) {
        const bool inside = bits.read(word) >= threshold;
        if (i % 4 == 3) alpha.add(inside, 1);
      }
    }
    at += length;
  }
  return {width, height, false, alpha.take()};
}

std::vector<std::int64_t> decode_coco_runs(std::string_view code) {
  std::vector<std::int64_t> out;
  for (std::size_t at = 0; at < code.size();) {
    std::int64_t value = 0;
    int shift = 0;
    for (bool more = true; more; shift += 5) {
      if (at >= code.size() || shift > 30) refuse_entry("the run-length string is cut off or damaged");
      const int c = static_cast<unsigned char>(code[at++]) - 48;
      if (c < 0 || c > 63)
        refuse_entry("the run-length string holds a character that is not of its alphabet");
      value |= static_cast<std::int64_t>(c & 31) << shift;
      more = (c & 32) != 0;
      if (!more && (c & 16) != 0) value |= -(std::int64_t{1} << (shift + 5));
    }
    if (out.size() > 2) value += out[out.size() - 2];
    if (std::abs(value) > kMaxPixels) refuse_entry("a run longer than any image");
    out.push_back(value);
  }
  return out;
}

Mask rasterise(const RegionShape& shape, int width, int height) {
  Mask out(width, height);
  if (const auto* polygon = std::get_if<PolygonShape>(&shape)) {
    for (const auto& outline : polygon->outlines) fill_polygon(out, outline);
  } else if (const auto* ellipse = std::get_if<EllipseShape>(&shape)) {
    fill_ellipse(out, ellipse->centre, ellipse->radius_x, ellipse->radius_y, ellipse->angle_deg);
  } else {
    const auto& code = std::get<RunShape>(shape);
    if (code.width != width || code.height != height) refuse_entry("a run-length code of another size");
    std::int64_t at = 0;
    bool inside = false;
    for (const std::int64_t run : code.runs) {
      for (std::int64_t i = at; inside && i < at + run; ++i) {
        const std::int64_t pixel = code.column_major ? (i % height) * width + i / height : i;
        out.pixels[static_cast<std::size_t>(pixel)] = 1;
      }
      at += run;
      inside = !inside;
    }
  }
  return out;
}

}  // namespace glint
