// What one photograph of a sleeve depends on: pose, light, camera, the good part's nuisances and the defect.
// Drawn from a seed at a level of difficulty; the levels stand in sleeve_scene.cpp and docs/sleeves.md.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <optional>
#include <vector>

#include "glint/synth/sleeve.h"

namespace glint::sleeve {

inline constexpr double kPi = std::numbers::pi;

struct Vec {
  double x = 0, y = 0, z = 0;
  Vec operator+(const Vec& o) const { return {x + o.x, y + o.y, z + o.z}; }
  Vec operator-(const Vec& o) const { return {x - o.x, y - o.y, z - o.z}; }
  Vec operator*(double s) const { return {x * s, y * s, z * s}; }
};
inline double dot(const Vec& a, const Vec& b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}
inline Vec normalised(const Vec& v) {
  return v * (1 / std::sqrt(dot(v, v)));
}
inline double smoothstep(double low, double high, double v) {
  const double t = std::clamp((v - low) / (high - low), 0.0, 1.0);
  return t * t * (3 - 2 * t);
}
inline double lerp(double a, double b, double t) {
  return a + (b - a) * t;
}

// Lengths in pixels of a 640-pixel image; 640 px = 57.6 mm, so 90 um a pixel.
inline constexpr double kReferenceSize = 640;
inline constexpr double kLength = 556, kRadius = 150, kInnerRadius = 132;
inline constexpr double kCutCentre = 172, kCutHalfU = 44, kCutHalfS = 38, kCutCorner = 9, kBevelWidth = 10;
inline constexpr double kBevelAngle = 42 * kPi / 180;

/// Groove along a polyline on the unrolled surface (u along the axis, s along the circumference).
struct Groove {
  std::vector<std::array<double, 2>> points;
  double half_width = 1, slope = 0.5;
  std::array<double, 4> box = {};  ///< least and largest u, least and largest s, with the groove's lips

  bool near(double u, double s) const { return u > box[0] && u < box[1] && s > box[2] && s < box[3]; }
};

struct Dimple {
  double u = 0, s = 0, radius = 8, aspect = 1, slope = 0.2;
};

struct Stain {
  double u = 0, s = 0, radius = 10;
  std::uint64_t key = 0;
  std::array<double, 3> tint = {1, 1, 1};
  double strength = 0.5;
};

/// A bump of a cut-out's outline or a nick of its bevel, at `along` on one side of cut-out `cut` (-1 or 1).
struct EdgeFlaw {
  int cut = 1;
  double u = 0, s = 0;  ///< centre on the outline
  double length = 20, depth = 4;
  double width = 0.55;  ///< of a nick, as a share of the bevel's
};

struct Speck {
  double x = 0, y = 0, radius = 1, darkness = 0.5;
};

/// Everything that one photograph depends on, drawn once.
struct Scene {
  std::array<Vec, 3> rows;  ///< part_from_camera rotation
  double facing = 0;        ///< s of the line that faces the camera
  bool relief = true;       ///< bevels have depth: parallax, occlusion; masks include what became a hole
  Vec shift;
  double scale = 1;
  double light_x = 0, light_y = 0, ring_low = 0, ring_high = 0, ring_power = 0, chamber = 0, exposure = 1;
  double vignette = 0, warmth = 0, noise = 0, blur = 0, roughness_u = 0, roughness_s = 0, texture = 0;
  int jpeg_quality = 90;
  std::uint64_t key = 0;
  std::vector<Groove> grooves;  ///< index >= first_defect_groove are defects
  std::size_t first_defect_groove = 0;
  std::vector<Dimple> dimples;
  std::vector<Stain> stains;
  std::optional<EdgeFlaw> nick, bump;
  std::vector<Speck> specks;
};

/// The scene of one seed; the nuisances do not depend on the defect.
Scene draw_scene(SleeveDefect defect, SleeveDifficulty difficulty, std::uint64_t seed);

}  // namespace glint::sleeve
