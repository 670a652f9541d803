#include "glint/detect/cutpaste/pasting.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <span>

#include "glint/base/error.h"
#include "glint/image/grey.h"
#include "glint/image/hue.h"
#include "glint/image/resample.h"

namespace glint {
namespace {

// Published, pixels and degrees.
constexpr int kThinnestScar = 2, kThickestScar = 16, kShortestScar = 10, kLongestScar = 25;
constexpr double kScarAngle = 45;

/// Towards (factor < 1) or away from `level`.
void scale_about(double* p, double level, double factor) {
  for (int c = 0; c < 3; ++c) p[c] = std::clamp(level + factor * (p[c] - level), 0.0, 255.0);
}

void change_colours(std::span<double> levels, int which, double strength, Rng& rng) {
  const double factor = rng.uniform(1 - strength, 1 + strength);
  double mean = 0;
  if (which == 1) {
    for (std::size_t i = 0; i < levels.size(); i += 3) mean += luma_of(&levels[i]);
    mean /= static_cast<double>(levels.size()) / 3;
  }
  for (std::size_t i = 0; i < levels.size(); i += 3) {
    double* p = &levels[i];
    if (which == 0) {
      scale_about(p, 0, factor);
    } else if (which == 1) {
      scale_about(p, mean, factor);
    } else if (which == 2) {
      scale_about(p, luma_of(p), factor);
    } else {
      const double before[3] = {p[0], p[1], p[2]};
      turn_hue(before, 6 * (factor - 1), 0, p);
    }
  }
}

int place(int room, Rng& rng) {
  return static_cast<int>(rng.below(static_cast<std::uint64_t>(room) + 1));
}

RgbImage random_patch(const RgbImage& image, ImageSize size, Rng& rng) {
  const int x = place(image.width - size.width, rng), y = place(image.height - size.height, rng);
  return jitter_colours(crop(image, x, y, size.width, size.height), kPatchJitter, rng);
}

int between(int least, int most, Rng& rng) {
  return least + place(most - least, rng);
}

}  // namespace

RgbImage jitter_colours(const RgbImage& image, double strength, Rng& rng) {
  std::vector<double> levels(image.pixels.begin(), image.pixels.end());
  for (const int which : permutation(4, Rng(rng.bits()))) change_colours(levels, which, strength, rng);
  RgbImage out(image.width, image.height);
  for (std::size_t i = 0; i < levels.size(); ++i)
    out.pixels[i] = static_cast<std::uint8_t>(std::lround(std::clamp(levels[i], 0.0, 255.0)));
  return out;
}

ImageSize cut_size(ImageSize image, double share, double aspect) {
  const double area = share * image.width * image.height;
  return {static_cast<int>(std::sqrt(area * aspect)), static_cast<int>(std::sqrt(area / aspect))};
}

RgbImage paste_patch(const RgbImage& image, const RgbImage& patch, const Mask& mask, int x, int y) {
  RgbImage out = image;
  for (int v = std::max(0, -y); v < std::min(patch.height, image.height - y); ++v) {
    for (int u = std::max(0, -x); u < std::min(patch.width, image.width - x); ++u) {
      if (!mask.pixels.empty() && mask.pixels[static_cast<std::size_t>(v) * patch.width + u] == 0) continue;
      std::copy_n(patch.at(u, v), 3, out.at(x + u, y + v));
    }
  }
  return out;
}

TurnedPatch turn_patch(const RgbImage& patch, double angle_deg) {
  const double angle = angle_deg * std::numbers::pi / 180, cosine = std::cos(angle), sine = std::sin(angle);
  const double half_width = patch.width / 2.0, half_height = patch.height / 2.0;
  // Corners of the turned patch in the patch's frame, for the sides of the new grid: whole pixels of that
  // frame that it touches.
  double left = half_width, right = half_width, top = half_height, bottom = half_height;
  for (const double sx : {-1.0, 1.0}) {
    for (const double sy : {-1.0, 1.0}) {
      const double x = half_width + cosine * sx * half_width - sine * sy * half_height;
      const double y = half_height + sine * sx * half_width + cosine * sy * half_height;
      left = std::min(left, x), right = std::max(right, x);
      top = std::min(top, y), bottom = std::max(bottom, y);
    }
  }
  const auto side = [](double first, double last) {
    constexpr double kRounding = 1e-9;  // a corner on a pixel's border does not touch the next one
    return static_cast<int>(std::ceil(last - kRounding) - std::floor(first + kRounding));
  };
  TurnedPatch out{RgbImage(side(left, right), side(top, bottom)), Mask(side(left, right), side(top, bottom))};
  for (int y = 0; y < out.image.height; ++y) {
    for (int x = 0; x < out.image.width; ++x) {
      const double dx = x + 0.5 - out.image.width / 2.0, dy = y + 0.5 - out.image.height / 2.0;
      // Counter-clockwise on the screen, whose rows go down.
      const double from_x = std::floor(half_width + cosine * dx - sine * dy);
      const double from_y = std::floor(half_height + sine * dx + cosine * dy);
      if (from_x < 0 || from_y < 0 || from_x >= patch.width || from_y >= patch.height) continue;
      std::copy_n(patch.at(static_cast<int>(from_x), static_cast<int>(from_y)), 3, out.image.at(x, y));
      out.mask.pixels[static_cast<std::size_t>(y) * out.mask.width + x] = 1;
    }
  }
  return out;
}

RgbImage paste_cut(const RgbImage& good, Rng& rng) {
  const double share = rng.uniform(kLeastCut, kMostCut);
  double aspect = rng.uniform(kNarrowestCut, 1);
  if (rng.below(2) == 1) aspect = 1 / aspect;
  ImageSize size = cut_size({good.width, good.height}, share, aspect);
  size = {std::clamp(size.width, 1, good.width), std::clamp(size.height, 1, good.height)};
  const RgbImage patch = random_patch(good, size, rng);
  const int x = place(good.width - size.width, rng), y = place(good.height - size.height, rng);
  return paste_patch(good, patch, {}, x, y);
}

RgbImage paste_scar(const RgbImage& good, Rng& rng) {
  const ImageSize size{std::min(between(kThinnestScar, kThickestScar, rng), good.width),
                       std::min(between(kShortestScar, kLongestScar, rng), good.height)};
  const TurnedPatch scar = turn_patch(random_patch(good, size, rng), rng.uniform(-kScarAngle, kScarAngle));
  // The place is drawn for the patch before it was turned, so that a border may cut it off, as published.
  const int x = place(good.width - size.width, rng), y = place(good.height - size.height, rng);
  return paste_patch(good, scar.image, scar.mask, x, y);
}

}  // namespace glint
