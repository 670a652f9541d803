#include "glint/image/mask_file.h"

#include <algorithm>

#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/image/decoder.h"
#include "glint/image/regions.h"

namespace glint {
namespace {

/// More distinct values are a photograph or a soft map, not numbers of defects.
constexpr std::size_t kMostLabels = 64;
/// Lossy compression leaves more distinct values than this near black and white; fewer may be labels.
constexpr std::size_t kFewValues = 16;
/// Grey pixels (of antialiased outlines) that are not worth a notice.
constexpr double kGreyShare = 0.001;
/// More than this of the picture between near black and near white is no outline but a photograph.
constexpr double kMiddleShare = 0.1;
/// A mask that covers this much of the border, and more than half of the picture, is black on white.
constexpr double kInvertedBorderShare = 0.9;

/// One number per pixel: the brightest colour channel, or alpha.
struct Levels {
  int width = 0, height = 0;
  std::uint32_t full = 255;  ///< white
  bool lossy = false;
  std::vector<std::uint16_t> values;
  std::vector<std::int64_t> counts;  ///< per value

  std::uint16_t at(int x, int y) const { return values[static_cast<std::size_t>(y) * width + x]; }
  void count() {
    counts.assign(full + 1, 0);
    for (const std::uint16_t v : values) ++counts[v];
  }
  std::size_t distinct() const {
    return static_cast<std::size_t>(
        std::count_if(counts.begin(), counts.end(), [](std::int64_t n) { return n > 0; }));
  }
  /// Near black without being it, and near white: an eighth of the range each.
  bool low(std::uint32_t v) const { return v > 0 && v <= full / 8; }
  bool high(std::uint32_t v) const { return v >= full - full / 8; }
  bool above_half(std::uint32_t v) const { return v > full / 2; }
  std::string seen() const;
};

std::string Levels::seen() const {
  constexpr int kShown = 8;
  std::string text;
  int shown = 0;
  for (std::size_t v = 0; v < counts.size(); ++v) {
    if (counts[v] == 0) continue;
    if (shown++ == kShown) return fmt::format("values {}, ... ({} different ones)", text, distinct());
    text += (text.empty() ? "" : ", ") + std::to_string(v);
  }
  return (shown == 1 ? "value " : "values ") + text;
}

/// The plane `first` up to `last` (exclusive) of the channels, its largest per pixel.
Levels levels_of(const DecodedImage& image, int first, int last) {
  Levels out{image.width, image.height, image.depth == 16 ? 65535U : 255U, image.lossy, {}, {}};
  const std::size_t pixels = static_cast<std::size_t>(image.width) * image.height;
  out.values.resize(pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    for (int c = first; c < last; ++c) {
      const std::size_t at = i * image.channels + c;
      out.values[i] =
          std::max<std::uint16_t>(out.values[i], image.depth == 16 ? image.words[at] : image.bytes[at]);
    }
  }
  out.count();
  return out;
}

/// Which grey values fill areas: a pixel whose eight neighbours are all like it. Outlines that were smoothed
/// or resized have none.
struct FlatAreas {
  bool low = false, middle = false;
};

FlatAreas flat_areas(const Levels& levels) {
  FlatAreas out;
  for (int y = 1; y + 1 < levels.height; ++y) {
    for (int x = 1; x + 1 < levels.width; ++x) {
      const std::uint16_t v = levels.at(x, y);
      if (v == 0 || levels.high(v)) continue;
      bool flat = true;
      for (int dy = -1; dy <= 1 && flat; ++dy)
        for (int dx = -1; dx <= 1 && flat; ++dx) flat = levels.at(x + dx, y + dy) == v;
      if (flat) (levels.low(v) ? out.low : out.middle) = true;
    }
  }
  return out;
}

/// True when a cut at half of the range would take a whole region away.
bool loses_a_region(const Levels& levels) {
  Mask grey(levels.width, levels.height);
  for (std::size_t i = 0; i < grey.pixels.size(); ++i)
    grey.pixels[i] = levels.values[i] != 0 && !levels.low(levels.values[i]) ? 1 : 0;
  const RegionLabels regions = label_regions(grey);
  std::vector<bool> kept(static_cast<std::size_t>(regions.count) + 1);
  kept[0] = true;
  for (std::size_t i = 0; i < grey.pixels.size(); ++i)
    if (levels.above_half(levels.values[i])) kept[static_cast<std::size_t>(regions.labels[i])] = true;
  return std::find(kept.begin(), kept.end(), false) != kept.end();
}

double middle_share(const Levels& levels) {
  std::int64_t middle = 0;
  for (std::uint32_t v = 1; v <= levels.full; ++v)
    if (!levels.low(v) && !levels.high(v)) middle += levels.counts[v];
  return static_cast<double>(middle) / static_cast<double>(levels.values.size());
}

class MaskReader {
 public:
  MaskReader(const DecodeRequest& request, const DecodedImage& image) : request_(request), image_(image) {}

  MaskFile read(MaskRule rule) {
    out_.mask = Mask(image_.width, image_.height);
    const bool has_alpha = image_.channels % 2 == 0;
    const Levels colours = levels_of(image_, 0, image_.channels - (has_alpha ? 1 : 0));
    if (rule == MaskRule::kNonZero) {
      set_above(colours, 0);
      note_size(false);
      return std::move(out_);
    }
    const Levels alpha = has_alpha ? levels_of(image_, image_.channels - 1, image_.channels) : Levels();
    if (has_alpha && alpha.distinct() > 1) {
      read_levels(alpha, "transparency");
      note("the defect is what is opaque, the rest is transparent", alpha.seen() + " of the transparency");
      check_colours(colours);
    } else {
      read_levels(colours, "pixel");
    }
    note_size(true);
    return std::move(out_);
  }

 private:
  void note(std::string what, std::string detail) {
    out_.notices.push_back({std::move(what), std::move(detail)});
  }
  /// All values above `highest_normal` are the defect.
  void set_above(const Levels& levels, std::uint32_t highest_normal) {
    std::transform(levels.values.begin(), levels.values.end(), out_.mask.pixels.begin(),
                   [&](std::uint16_t v) { return static_cast<std::uint8_t>(v > highest_normal ? 1 : 0); });
  }

  void read_levels(const Levels& levels, const char* of) {
    const std::size_t distinct = levels.distinct();
    const bool black = levels.counts[0] > 0, white = levels.counts[levels.full] > 0;
    if (distinct == 1 && black) return;  // empty
    if (distinct == 1) {
      refuse(request_,
             "every {} of this mask has the {}, where black (0) is normal and white the defect; "
             "export it anew, or remove it: then its image counts in image figures only",
             of, levels.seen());
    }
    if (distinct == 2 && black && white) return set_above(levels, levels.full / 2);
    if (levels.lossy) return read_near_black_and_white(levels, true);
    if (!black) {
      refuse(request_,
             "no {} of this mask is black (0), so nothing says which of the {} is normal; export it with "
             "black for normal and white for the defect",
             of, levels.seen());
    }
    if (distinct == 2) {
      note("two values that are not black and white: all but 0 counts as defect", levels.seen());
      return set_above(levels, 0);
    }
    read_near_black_and_white(levels, false);
  }

  void read_near_black_and_white(const Levels& levels, bool lossy) {
    bool high = false;
    for (std::uint32_t v = 0; v <= levels.full; ++v) high = high || (levels.high(v) && levels.counts[v] > 0);
    const FlatAreas flat = flat_areas(levels);
    const bool halves =
        high && !flat.middle && middle_share(levels) <= kMiddleShare && !loses_a_region(levels);
    if (halves && (lossy || !flat.low || levels.distinct() > kFewValues)) return cut_at_half(levels);
    const bool labels = !lossy && levels.distinct() <= kMostLabels;
    if (labels && !halves) {
      note("more than two values: they number the defects, all but 0 counts", levels.seen());
      return set_above(levels, 0);
    }
    const char* reason = lossy    ? "which a JPEG cannot hold exactly"
                         : labels ? "so the dark ones may number defects or be traces of compression"
                                  : "which is a photograph or a soft map";
    refuse(
        request_,
        "neither black and white nor a few numbered defects: {}, {}; export the mask as PNG with black for "
        "normal and white for the defect",
        levels.seen(), reason);
  }

  void cut_at_half(const Levels& levels) {
    set_above(levels, levels.full / 2);
    std::int64_t grey = static_cast<std::int64_t>(levels.values.size()) - levels.counts[0];
    grey -= levels.counts[levels.full];
    out_.grey_share = static_cast<double>(grey) / static_cast<double>(levels.values.size());
    if (out_.grey_share > kGreyShare) {
      note(kCutAtHalf, fmt::format("{:.1f} % of the pixels", 100 * out_.grey_share));
    }
  }

  /// Where transparency marks the defect, the colours must not say something else.
  void check_colours(const Levels& colours) {
    bool black = false, other = false;
    for (std::size_t i = 0; i < colours.values.size(); ++i) {
      if (out_.mask.pixels[i] == 0) continue;
      (colours.values[i] == 0 ? black : other) = true;
    }
    if (black && other) {
      refuse(
          request_,
          "both transparency and colours mark pixels of this mask, and they differ (colours: {}); export it "
          "without transparency, black for normal and white for the defect",
          colours.seen());
    }
  }

  void note_size(bool may_refuse) {
    const Mask& m = out_.mask;
    const std::size_t w = static_cast<std::size_t>(m.width), h = static_cast<std::size_t>(m.height);
    const auto area = std::count(m.pixels.begin(), m.pixels.end(), 1);
    const double share = static_cast<double>(area) / static_cast<double>(m.pixels.size());
    if (share <= 0.5) return;
    std::size_t border = 0, marked = 0;
    for (std::size_t y = 0; y < h; ++y) {
      const std::size_t step = y == 0 || y + 1 == h ? 1 : std::max<std::size_t>(1, w - 1);
      for (std::size_t x = 0; x < w; x += step) {
        ++border;
        marked += m.pixels[y * w + x];
      }
    }
    if (may_refuse && static_cast<double>(marked) >= kInvertedBorderShare * static_cast<double>(border)) {
      refuse(
          request_,
          "{:.1f} % of the pixels count as defect, the picture's border among them: the mask looks inverted; "
          "export it with black for normal and white for the defect, or remove it when the whole picture is "
          "the defect: then its image counts in image figures only",
          100 * share);
    }
    note("more than half of the picture counts as defect", fmt::format("{:.0f} %", 100 * share));
  }

  const DecodeRequest& request_;
  const DecodedImage& image_;
  MaskFile out_;
};

}  // namespace

MaskFile decode_mask_file(std::span<const std::byte> bytes, const std::string& name, MaskRule rule,
                          std::int64_t max_pixels) {
  const DecodeRequest request{bytes, name, max_pixels};
  DecodedImage image = decode_file(request);
  const int orientation = image.orientation;
  apply_orientation(image);
  MaskFile out = MaskReader(request, image).read(rule);
  out.orientation = orientation;
  return out;
}

MaskFile read_mask_file(const std::filesystem::path& path, MaskRule rule) {
  return decode_mask_file(read_file(path, std::uint64_t{1} << 30), name_line(path), rule);
}

Mask read_mask(const std::filesystem::path& path, MaskRule rule) {
  return read_mask_file(path, rule).mask;
}

}  // namespace glint
