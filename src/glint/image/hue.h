// Hue and saturation of one pixel.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace glint {

/// Turns the hue of RGB levels by `sixths` of the circle (within -6 to 6) and adds `more` to the saturation,
/// which stays within 0 to 1; the brightest channel (HSV's value) keeps its level.
inline void turn_hue(const double rgb[3], double sixths, double more, double out[3]) {
  const double high = std::max({rgb[0], rgb[1], rgb[2]}), low = std::min({rgb[0], rgb[1], rgb[2]});
  const double span = high - low;
  double hue = 0;  // in sixths of the circle
  if (span > 0) {
    hue = high == rgb[0]   ? (rgb[1] - rgb[2]) / span
          : high == rgb[1] ? 2 + (rgb[2] - rgb[0]) / span
                           : 4 + (rgb[0] - rgb[1]) / span;
  }
  hue = std::fmod(hue + sixths + 12, 6);
  const double saturation = std::clamp((high > 0 ? span / high : 0) + more, 0.0, 1.0);
  // Channel c falls from the brightest by how far its own hue is away.
  for (int c = 0; c < 3; ++c) {
    const double away = std::abs(std::remainder(hue - 2 * c, 6.0));
    out[c] = high * (1 - saturation * std::clamp(away - 1, 0.0, 1.0));
  }
}

}  // namespace glint
