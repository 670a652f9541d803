#include "glint/synth/synthetic_defect.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "glint/base/error.h"
#include "glint/base/random.h"

namespace glint {
namespace {

struct Place {
  double x = 0, y = 0;
};

constexpr double kMaskFrom = 0.25;  // of the largest change

Place random_place(const RgbImage& image, const Mask& part, Rng& rng) {
  std::vector<std::size_t> inside;
  for (std::size_t i = 0; i < part.pixels.size(); ++i) {
    if (part.pixels[i] != 0) inside.push_back(i);
  }
  const auto pixels = static_cast<std::uint64_t>(image.width) * static_cast<std::uint64_t>(image.height);
  const std::uint64_t at = inside.empty() ? rng.below(pixels) : inside[rng.below(inside.size())];
  return {static_cast<double>(at % image.width) + 0.5, static_cast<double>(at / image.width) + 0.5};
}

/// Calls `change(x, y)` for the pixels within `radius` of a place.
template <class Change>
void around(const RgbImage& image, const Place& place, double radius, const Change& change) {
  const int left = std::max(0, static_cast<int>(place.x - radius)),
            right = std::min(image.width - 1, static_cast<int>(place.x + radius));
  const int top = std::max(0, static_cast<int>(place.y - radius)),
            bottom = std::min(image.height - 1, static_cast<int>(place.y + radius));
  for (int y = top; y <= bottom; ++y)
    for (int x = left; x <= right; ++x) change(x, y);
}

/// Strength of the change per pixel, 0 to 1, by kind.
using Profile = ScoreMap;

Profile scratch_profile(const RgbImage& image, const Place& place, double length, Rng& rng) {
  Profile out(image.width, image.height);
  const double half_width = std::max(1.0, length / 20) / 2;
  const double angle = rng.uniform(0, std::numbers::pi), bend = rng.uniform(-0.6, 0.6);
  const int steps = std::max(2, static_cast<int>(std::ceil(2 * length)));
  double x = place.x - std::cos(angle) * length / 2, y = place.y - std::sin(angle) * length / 2;
  for (int i = 0; i <= steps; ++i) {
    const double share = static_cast<double>(i) / steps;
    const double heading = angle + bend * (share - 0.5);
    around(image, {x, y}, half_width + 1.5, [&](int u, int v) {
      const double d = std::hypot(u + 0.5 - x, v + 0.5 - y);
      const auto strength = static_cast<float>(std::clamp(half_width + 0.5 - d, 0.0, 1.0));
      float& value = out.values[static_cast<std::size_t>(v) * image.width + u];
      value = std::max(value, strength);
    });
    x += std::cos(heading) * length / steps;
    y += std::sin(heading) * length / steps;
  }
  return out;
}

Profile blob_profile(const RgbImage& image, const Place& place, double diameter) {
  Profile out(image.width, image.height);
  const double radius = diameter / 2, soft = std::max(0.7, 0.15 * diameter);
  around(image, place, radius + 2 * soft, [&](int u, int v) {
    const double d = std::hypot(u + 0.5 - place.x, v + 0.5 - place.y);
    out.values[static_cast<std::size_t>(v) * image.width + u] =
        static_cast<float>(1 / (1 + std::exp((d - radius) / (soft / 2))));
  });
  return out;
}

/// A disc whose radius varies around it, faded out over half of it.
Profile stain_profile(const RgbImage& image, const Place& place, double diameter, Rng& rng) {
  constexpr int kWaves = 4;
  std::array<double, kWaves> height{}, phase{};
  for (int k = 0; k < kWaves; ++k) {
    height[k] = rng.uniform(0, 0.35) / (k + 1);
    phase[k] = rng.uniform(0, 2 * std::numbers::pi);
  }
  Profile out(image.width, image.height);
  around(image, place, diameter, [&](int u, int v) {
    const double dx = u + 0.5 - place.x, dy = v + 0.5 - place.y, angle = std::atan2(dy, dx);
    double radius = diameter / 2;
    for (int k = 0; k < kWaves; ++k) radius *= 1 + height[k] * std::sin((k + 1) * angle + phase[k]);
    const double d = std::hypot(dx, dy) / std::max(0.5, radius);
    out.values[static_cast<std::size_t>(v) * image.width + u] =
        static_cast<float>(std::clamp(1.5 - d, 0.0, 1.0));
  });
  return out;
}

Mask mask_of(const Profile& profile) {
  const auto peak = std::max_element(profile.values.begin(), profile.values.end());
  Mask out(profile.width, profile.height);
  for (std::size_t i = 0; i < out.pixels.size(); ++i)
    out.pixels[i] = *peak > 0 && profile.values[i] >= kMaskFrom * *peak ? 1 : 0;
  out.pixels[static_cast<std::size_t>(peak - profile.values.begin())] = 1;  // however small
  return out;
}

std::uint8_t byte(double v) {
  return static_cast<std::uint8_t>(std::clamp(std::lround(v), 0L, 255L));
}

DefectiveImage cut_and_paste(const RgbImage& good, const Place& place, double size, double change, Rng& rng) {
  DefectiveImage out{good, Mask(good.width, good.height)};
  const double aspect = std::exp(rng.uniform(-1.1, 1.1));
  const int w = std::clamp(static_cast<int>(std::lround(size * std::sqrt(aspect))), 1, good.width);
  const int h = std::clamp(static_cast<int>(std::lround(size / std::sqrt(aspect))), 1, good.height);
  const int from_x = static_cast<int>(rng.below(static_cast<std::uint64_t>(good.width - w) + 1));
  const int from_y = static_cast<int>(rng.below(static_cast<std::uint64_t>(good.height - h) + 1));
  const int to_x = std::clamp(static_cast<int>(place.x) - w / 2, 0, good.width - w);
  const int to_y = std::clamp(static_cast<int>(place.y) - h / 2, 0, good.height - h);
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      for (int c = 0; c < 3; ++c)
        out.image.at(to_x + x, to_y + y)[c] = byte(good.at(from_x + x, from_y + y)[c] + change);
      out.mask.pixels[static_cast<std::size_t>(to_y + y) * good.width + to_x + x] = 1;
    }
  }
  return out;
}

}  // namespace

DefectiveImage add_synthetic_defect(const RgbImage& good, const Mask& part, SyntheticDefect kind, double size,
                                    double contrast, std::uint64_t seed) {
  GLINT_CHECK(size > 0 && contrast >= 0);
  GLINT_CHECK(part.pixels.empty() || (part.width == good.width && part.height == good.height));
  Rng rng(seed, "synthetic_defect", static_cast<std::uint64_t>(kind));
  const Place place = random_place(good, part, rng);
  const double change = (rng.below(2) == 0 ? -1 : 1) * contrast * 255;
  if (kind == SyntheticDefect::kCutPaste) return cut_and_paste(good, place, size, change, rng);
  std::array<double, 3> tint = {1, 1, 1};
  if (kind == SyntheticDefect::kStain) {
    for (double& t : tint) t = rng.uniform(0.2, 1);
  }
  const Profile profile = kind == SyntheticDefect::kScratch ? scratch_profile(good, place, size, rng)
                          : kind == SyntheticDefect::kBlob  ? blob_profile(good, place, size)
                                                            : stain_profile(good, place, size, rng);
  DefectiveImage out{good, mask_of(profile)};
  for (std::size_t i = 0; i < profile.values.size(); ++i) {
    if (profile.values[i] <= 0) continue;
    for (int c = 0; c < 3; ++c) {
      std::uint8_t& v = out.image.pixels[3 * i + c];
      v = byte(v + change * tint[c] * profile.values[i]);
    }
  }
  return out;
}

}  // namespace glint
