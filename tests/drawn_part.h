// Parts drawn in a known pose, for tests of alignment.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "glint/base/random.h"
#include "glint/image/image.h"

namespace glint {

enum class Shape { kKey, kDisc, kBlank };

/// 200 x 160 (or another size), light background. The key has a head at one end and two teeth: no symmetry.
inline RgbImage draw_part(Shape shape, double angle_deg, double dx, double dy, std::uint64_t seed,
                          int width = 200, int height = 160) {
  RgbImage out(width, height);
  Rng rng(seed, "test.registration");
  const double a = angle_deg * std::numbers::pi / 180, c = std::cos(a), s = std::sin(a);
  const double unit = width / 200.0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double px = x - (width - 1) / 2.0 - dx, py = y - (height - 1) / 2.0 - dy;
      const double u = (c * px + s * py) / unit, v = (-s * px + c * py) / unit;  // the part's own axes
      double grey = 215;
      if (shape == Shape::kKey) {
        if (std::abs(u) < 45 && std::abs(v) < 6) grey = 110;
        if (std::hypot(u + 40, v) < 15) grey = 90;
        if (u > 20 && u < 26 && v > 0 && v < 16) grey = 120;
        if (u > 32 && u < 40 && v > 0 && v < 13) grey = 100;
      }
      if (shape == Shape::kDisc && std::hypot(u, v) < 30) grey = 110;
      grey += 2 * rng.normal();
      for (int k = 0; k < 3; ++k) out.at(x, y)[k] = static_cast<std::uint8_t>(std::clamp(grey, 0.0, 255.0));
    }
  }
  return out;
}

/// Good parts in any angle, shifted by up to 12 pixels.
inline std::vector<RgbImage> drawn_parts(Shape shape, int n) {
  std::vector<RgbImage> out;
  for (int i = 0; i < n; ++i) {
    Rng rng(7, "test.poses", i);
    out.push_back(draw_part(shape, rng.uniform(0, 360), rng.uniform(-12, 12), rng.uniform(-12, 12), i));
  }
  return out;
}

}  // namespace glint
