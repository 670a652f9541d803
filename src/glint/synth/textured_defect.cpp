#include "glint/synth/textured_defect.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "glint/base/error.h"
#include "glint/image/grey.h"
#include "glint/image/hue.h"
#include "glint/image/perlin_noise.h"
#include "glint/image/resample.h"

namespace glint {
namespace {

using Levels = std::array<std::uint8_t, 256>;

std::uint8_t rounded(double value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

/// Each channel through its own table.
void map_levels(RgbImage& image, const std::array<Levels, 3>& tables) {
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = tables[i % 3][image.pixels[i]];
}

template <class Level>
Levels table_of(const Level& level) {
  Levels out{};
  for (int v = 0; v < 256; ++v) out[static_cast<std::size_t>(v)] = rounded(level(v));
  return out;
}

std::array<std::array<std::int64_t, 256>, 3> histograms(const RgbImage& image) {
  std::array<std::array<std::int64_t, 256>, 3> out{};
  for (std::size_t i = 0; i < image.pixels.size(); ++i) ++out[i % 3][image.pixels[i]];
  return out;
}

void change_gamma(RgbImage& image, Rng& rng) {
  std::array<Levels, 3> tables{};
  for (Levels& table : tables) {
    const double gamma = rng.uniform(0.5, 2);
    table = table_of([gamma](int v) { return 255 * std::pow(v / 255.0, gamma); });
  }
  map_levels(image, tables);
}

void change_luma(RgbImage& image, Rng& rng) {
  const double factor = rng.uniform(0.8, 1.2), offset = rng.uniform(-30, 30);
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    std::uint8_t* p = &image.pixels[i];
    const double luma = luma_of(p);
    const double change = (factor - 1) * luma + offset;
    for (int c = 0; c < 3; ++c) p[c] = rounded(p[c] + change);
  }
}

/// Between a 3 x 3 smoothing and beyond the picture itself (Pillow's Sharpness); the border stays.
void change_sharpness(RgbImage& image, Rng& rng) {
  const double factor = rng.uniform(0.1, 1.9);
  const RgbImage before = image;
  for (int y = 1; y + 1 < image.height; ++y) {
    for (int x = 1; x + 1 < image.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        int sum = 4 * before.at(x, y)[c];
        for (int dy = -1; dy <= 1; ++dy) {
          for (int dx = -1; dx <= 1; ++dx) sum += before.at(x + dx, y + dy)[c];
        }
        const double smooth = sum / 13.0;
        image.at(x, y)[c] = rounded(smooth + factor * (before.at(x, y)[c] - smooth));
      }
    }
  }
}

void change_hue_and_saturation(RgbImage& image, Rng& rng) {
  const double turn = rng.uniform(-50, 50) / 255 * 6, more = rng.uniform(-50, 50) / 255;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    std::uint8_t* p = &image.pixels[i];
    const double before[3] = {double(p[0]), double(p[1]), double(p[2])};
    double after[3];
    turn_hue(before, turn, more, after);
    for (int c = 0; c < 3; ++c) p[c] = rounded(after[c]);
  }
}

void solarise(RgbImage& image, Rng& rng) {
  const bool wanted = rng.uniform() < 0.5;
  const double bound = rng.uniform(32, 128);
  if (!wanted) return;
  const Levels table = table_of([bound](int v) { return v < bound ? v : 255 - v; });
  map_levels(image, {table, table, table});
}

void posterise(RgbImage& image, Rng& rng) {
  const int dropped = 8 - (1 + static_cast<int>(rng.below(8)));
  const Levels table = table_of([dropped](int v) { return v >> dropped << dropped; });
  map_levels(image, {table, table, table});
}

void invert(RgbImage& image) {
  for (std::uint8_t& v : image.pixels) v = static_cast<std::uint8_t>(255 - v);
}

/// Cuts up to 20 % of the pixels off at either end of each channel (Pillow's autocontrast).
void stretch(RgbImage& image, Rng& rng) {
  const double cut = rng.uniform(0, 0.2);
  const auto counts = histograms(image);
  const auto total = static_cast<double>(image.pixels.size() / 3);
  std::array<Levels, 3> tables{};
  for (std::size_t c = 0; c < 3; ++c) {
    int low = 0, high = 255;
    for (double below = 0; low < 255 && (below += static_cast<double>(counts[c][low])) <= cut * total;) ++low;
    for (double above = 0; high > 0 && (above += static_cast<double>(counts[c][high])) <= cut * total;)
      --high;
    tables[c] = table_of([low, high](int v) { return high > low ? 255.0 * (v - low) / (high - low) : v; });
  }
  map_levels(image, tables);
}

void equalise(RgbImage& image) {
  const auto counts = histograms(image);
  const auto total = static_cast<double>(image.pixels.size() / 3);
  std::array<Levels, 3> tables{};
  for (std::size_t c = 0; c < 3; ++c) {
    double first = -1, sum = 0;
    std::array<double, 256> share{};
    for (std::size_t v = 0; v < 256; ++v) {
      sum += static_cast<double>(counts[c][v]);
      if (first < 0 && sum > 0) first = sum;
      share[v] = total > first ? (sum - first) / (total - first) : -1;
    }
    tables[c] = table_of([&share](int v) { return share[v] < 0 ? v : 255 * share[v]; });
  }
  map_levels(image, tables);
}

constexpr int kChanges = 10, kChangesAtOnce = 3;

void change(RgbImage& image, int which, Rng& rng) {
  switch (which) {
    case 0:
      return change_gamma(image, rng);
    case 1:
      return change_luma(image, rng);
    case 2:
      return change_sharpness(image, rng);
    case 3:
      return change_hue_and_saturation(image, rng);
    case 4:
      return solarise(image, rng);
    case 5:
      return posterise(image, rng);
    case 6:
      return invert(image);
    case 7:
      return stretch(image, rng);
    case 8:
      return equalise(image);
    default:
      image = warp_about_centre(image, rng.uniform(-45, 45), 0, 0, 1, false);
  }
}

/// Turned about the centre, bilinear, 0 beyond the borders.
ScoreMap turned(const ScoreMap& map, double angle_deg) {
  const double angle = angle_deg * std::numbers::pi / 180, cosine = std::cos(angle), sine = std::sin(angle);
  const double middle_x = (map.width - 1) / 2.0, middle_y = (map.height - 1) / 2.0;
  const auto value = [&map](int x, int y) {
    const bool inside = x >= 0 && y >= 0 && x < map.width && y < map.height;
    return inside ? static_cast<double>(map.at(x, y)) : 0.0;
  };
  ScoreMap out(map.width, map.height);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      const double from_x = middle_x + cosine * (x - middle_x) - sine * (y - middle_y);
      const double from_y = middle_y + sine * (x - middle_x) + cosine * (y - middle_y);
      const int left = static_cast<int>(std::floor(from_x)), top = static_cast<int>(std::floor(from_y));
      const double u = from_x - left, v = from_y - top;
      out.values[static_cast<std::size_t>(y) * out.width + x] =
          static_cast<float>(std::lerp(std::lerp(value(left, top), value(left + 1, top), u),
                                       std::lerp(value(left, top + 1), value(left + 1, top + 1), u), v));
    }
  }
  return out;
}

}  // namespace

RgbImage augment_texture(const RgbImage& texture, Rng& rng) {
  RgbImage out = texture;
  std::vector<int> which = permutation(kChanges, Rng(rng.bits()));
  for (int i = 0; i < kChangesAtOnce; ++i) change(out, which[static_cast<std::size_t>(i)], rng);
  return out;
}

DefectiveImage add_textured_defect(const RgbImage& good, const RgbImage& texture, std::uint64_t seed) {
  GLINT_CHECK(texture.width == good.width && texture.height == good.height);
  Rng rng(seed, "textured_defect");
  DefectiveImage out{good, Mask(good.width, good.height)};
  if (rng.uniform() < kCleanShare) return out;
  const ScoreMap noise = turned(random_perlin_noise(good.width, good.height, rng), rng.uniform(-90, 90));
  const RgbImage filling = augment_texture(texture, rng);
  const double original = rng.uniform(0, kMostOriginal);
  for (std::size_t i = 0; i < out.mask.pixels.size(); ++i) {
    if (!(static_cast<double>(noise.values[i]) > kDefectNoise)) continue;
    out.mask.pixels[i] = 1;
    for (std::size_t c = 3 * i; c < 3 * i + 3; ++c)
      out.image.pixels[c] = rounded((1 - original) * filling.pixels[c] + original * good.pixels[c]);
  }
  return out;
}

}  // namespace glint
