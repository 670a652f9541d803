#include "glint/synth/sleeve.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <numbers>
#include <optional>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/parallel.h"
#include "glint/base/random.h"
#include "glint/image/codec.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr double kPi = std::numbers::pi;

struct Vec {
  double x = 0, y = 0, z = 0;
  Vec operator+(const Vec& o) const { return {x + o.x, y + o.y, z + o.z}; }
  Vec operator-(const Vec& o) const { return {x - o.x, y - o.y, z - o.z}; }
  Vec operator*(double s) const { return {x * s, y * s, z * s}; }
};
double dot(const Vec& a, const Vec& b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}
Vec normalised(const Vec& v) {
  return v * (1 / std::sqrt(dot(v, v)));
}
double smoothstep(double low, double high, double v) {
  const double t = std::clamp((v - low) / (high - low), 0.0, 1.0);
  return t * t * (3 - 2 * t);
}
double lerp(double a, double b, double t) {
  return a + (b - a) * t;
}

// Lengths in pixels of a 640-pixel image; 640 px = 57.6 mm, so 90 um a pixel.
constexpr double kReferenceSize = 640;
constexpr double kLength = 556, kRadius = 150, kInnerRadius = 132;
constexpr double kCutCentre = 172, kCutHalfU = 44, kCutHalfS = 38, kCutCorner = 9, kBevelWidth = 10;
const double kBevelAngle = 42 * kPi / 180;

double hash01(std::int64_t x, std::int64_t y, std::uint64_t key) {
  const auto lattice = static_cast<std::uint64_t>(x) * 0x9e3779b97f4a7c15ULL ^
                       static_cast<std::uint64_t>(y) * 0xc2b2ae3d27d4eb4fULL;
  return static_cast<double>(mix64(key ^ lattice) >> 11) * 0x1.0p-53;
}

/// Smooth value noise in [-1, 1].
double noise2(double x, double y, std::uint64_t key) {
  const double fx = std::floor(x), fy = std::floor(y);
  const auto ix = static_cast<std::int64_t>(fx), iy = static_cast<std::int64_t>(fy);
  const double tx = smoothstep(0, 1, x - fx), ty = smoothstep(0, 1, y - fy);
  const double top = lerp(hash01(ix, iy, key), hash01(ix + 1, iy, key), tx);
  const double bottom = lerp(hash01(ix, iy + 1, key), hash01(ix + 1, iy + 1, key), tx);
  return 2 * lerp(top, bottom, ty) - 1;
}

/// Noise along one axis from a table of `n` cells, for the turning marks.
class LineNoise {
 public:
  LineNoise(int n, Rng rng) : values_(static_cast<std::size_t>(n)) {
    for (double& v : values_) v = rng.uniform(-1, 1);
  }
  double operator()(double x) const {
    const double f = std::floor(x);
    const auto n = static_cast<std::int64_t>(values_.size());
    const auto i = ((static_cast<std::int64_t>(f) % n) + n) % n;
    return lerp(values_[i], values_[(i + 1) % n], x - f);
  }

 private:
  std::vector<double> values_;
};

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
};

struct Speck {
  double x = 0, y = 0, radius = 1, darkness = 0.5;
};

/// Everything that one photograph depends on, drawn once.
struct Scene {
  std::array<Vec, 3> rows;  ///< part_from_camera rotation
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

Groove random_groove(Rng& rng, double u, double s, double length, double angle, double half_width,
                     double slope) {
  Groove g{{}, half_width, slope, {}};
  const int segments = 6;
  const double bend = rng.uniform(-0.25, 0.25);
  double pu = u - 0.5 * length * std::cos(angle), ps = s - 0.5 * length * std::sin(angle);
  for (int i = 0; i <= segments; ++i) {
    g.points.push_back({pu, ps});
    const double a = angle + bend * (static_cast<double>(i) / segments - 0.5) + rng.uniform(-0.05, 0.05);
    pu += length / segments * std::cos(a);
    ps += length / segments * std::sin(a);
  }
  const double reach = 2.5 * half_width + 1;
  g.box = {1e9, -1e9, 1e9, -1e9};
  for (const auto& [point_u, point_s] : g.points) {
    g.box = {std::min(g.box[0], point_u - reach), std::max(g.box[1], point_u + reach),
             std::min(g.box[2], point_s - reach), std::max(g.box[3], point_s + reach)};
  }
  return g;
}

/// A place on the visible front that is neither in a cut-out nor at its bevel.
std::array<double, 2> surface_place(Rng& rng) {
  for (;;) {
    const double u = rng.uniform(-0.46, 0.46) * kLength, s = rng.uniform(-0.8, 0.8) * kRadius;
    const double du = std::abs(std::abs(u) - kCutCentre) - kCutHalfU, ds = std::abs(s) - kCutHalfS;
    if (std::max(du, ds) > kBevelWidth + 12) return {u, s};
  }
}

/// A place on the outline of a cut-out's long or short side, away from the corners.
EdgeFlaw edge_place(Rng& rng, double length, double depth) {
  EdgeFlaw flaw{rng.below(2) == 0 ? -1 : 1, 0, 0, length, depth};
  const bool on_u_side = rng.below(2) == 0;
  const double sign = rng.below(2) == 0 ? -1 : 1;
  flaw.u = flaw.cut * kCutCentre + (on_u_side ? sign * kCutHalfU : rng.uniform(-0.6, 0.6) * kCutHalfU);
  flaw.s = on_u_side ? rng.uniform(-0.6, 0.6) * kCutHalfS : sign * kCutHalfS;
  return flaw;
}

Scene draw_scene(SleeveDefect defect, std::uint64_t seed) {
  Scene scene;
  Rng rng(seed, "sleeve.nuisance");
  scene.key = rng.bits();
  const double in_plane = rng.normal() * 1.3 * kPi / 180, roll = rng.normal() * 4 * kPi / 180;
  const double tilt = rng.normal() * 2 * kPi / 180;
  // Rows of the matrix that takes camera coordinates to part coordinates: roll * tilt * in-plane.
  const double ci = std::cos(in_plane), si = std::sin(in_plane), cr = std::cos(roll), sr = std::sin(roll);
  const double ct = std::cos(tilt), st = std::sin(tilt);
  scene.rows = {Vec{ct * ci, ct * si, -st}, Vec{-cr * si - sr * st * ci, cr * ci - sr * st * si, -sr * ct},
                Vec{-sr * si + cr * st * ci, sr * ci + cr * st * si, cr * ct}};
  scene.shift = {rng.normal() * 7, rng.normal() * 6, 0};
  if (rng.uniform() < 0.04) scene.shift.x += rng.below(2) ? 45 : -45;  // not fully in the frame
  scene.scale = 1 + 0.01 * rng.normal();
  scene.light_x = 0.035 * rng.normal();
  scene.light_y = 0.045 * rng.normal();
  scene.ring_low = rng.uniform(20, 23) * kPi / 180;
  scene.ring_high = scene.ring_low + rng.uniform(9, 12) * kPi / 180;
  scene.ring_power = rng.uniform(1.1, 1.6);
  scene.chamber = rng.uniform(0.30, 0.38);
  scene.exposure = 1 + 0.05 * rng.normal();
  scene.vignette = rng.uniform(0.18, 0.32);
  scene.warmth = 0.012 * rng.normal();
  scene.noise = rng.uniform(0.010, 0.017);
  scene.blur = rng.uniform(0.55, 0.8);
  scene.roughness_u = rng.uniform(0.055, 0.08);  // turning marks scatter along the axis
  scene.roughness_s = rng.uniform(0.018, 0.028);
  scene.texture = rng.uniform(0.03, 0.05);
  scene.jpeg_quality = 86 + static_cast<int>(rng.below(9));

  for (std::uint64_t i = 2 + rng.below(5); i > 0; --i) {  // faint marks within tolerance
    const auto [u, s] = surface_place(rng);
    scene.grooves.push_back(random_groove(rng, u, s, rng.uniform(12, 60), rng.uniform(0, kPi),
                                          rng.uniform(0.5, 0.8), rng.uniform(0.04, 0.11)));
  }
  scene.first_defect_groove = scene.grooves.size();
  for (std::uint64_t i = 4 + rng.below(10); i > 0; --i) {  // dust and dark specks, anywhere
    scene.specks.push_back({rng.uniform(0, kReferenceSize), rng.uniform(0, kReferenceSize),
                            rng.uniform(0.5, 1.5),
                            rng.uniform() < 0.75 ? rng.uniform(0.2, 0.6) : -rng.uniform(0.15, 0.4)});
  }

  Rng what(seed, "sleeve.defect");
  switch (defect) {
    case SleeveDefect::kNone:
      break;
    case SleeveDefect::kScratch: {
      const auto [u, s] = surface_place(what);
      scene.grooves.push_back(random_groove(what, u, s * 0.8, what.uniform(70, 150), what.uniform(0, kPi),
                                            what.uniform(0.9, 1.5), what.uniform(0.18, 0.38)));
      break;
    }
    case SleeveDefect::kDent:
      for (std::uint64_t i = 1 + what.below(3); i > 0; --i) {
        const auto [u, s] = surface_place(what);
        scene.dimples.push_back(
            {u, s * 0.8, what.uniform(6.5, 10), what.uniform(0.75, 1.3), what.uniform(0.06, 0.15)});
      }
      break;
    case SleeveDefect::kColour: {
      static constexpr std::array<std::array<double, 3>, 3> kOxides = {
          {{0.98, 0.86, 0.66}, {0.90, 0.78, 0.74}, {0.80, 0.84, 0.95}}};  // straw, brown, blue
      const auto [u, s] = surface_place(what);
      scene.stains.push_back(
          {u, s * 0.8, what.uniform(10, 17), what.bits(), kOxides[what.below(3)], what.uniform(0.35, 0.75)});
      break;
    }
    case SleeveDefect::kBevel1:
      scene.nick = edge_place(what, what.uniform(26, 48), what.uniform(0.35, 0.7));
      break;
    case SleeveDefect::kBevel2:
      scene.bump = edge_place(what, what.uniform(36, 60), what.uniform(4, 7) * (what.below(2) ? 1 : -1));
      break;
  }
  return scene;
}

/// Signed distance to the outline of the nearer cut-out on the unrolled surface; negative inside.
double outline_distance(double u, double s) {
  const double du = std::abs(std::abs(u) - kCutCentre) - (kCutHalfU - kCutCorner);
  const double ds = std::abs(s) - (kCutHalfS - kCutCorner);
  const double outside = std::hypot(std::max(du, 0.0), std::max(ds, 0.0));
  return outside + std::min(std::max(du, ds), 0.0) - kCutCorner;
}

/// Shift of the outline by a changed bevel contour.
double bump_shift(const Scene& scene, double u, double s) {
  if (!scene.bump) return 0;
  const double d2 = (u - scene.bump->u) * (u - scene.bump->u) + (s - scene.bump->s) * (s - scene.bump->s);
  const double sigma = scene.bump->length / 3;
  return d2 > 9 * sigma * sigma ? 0 : scene.bump->depth * std::exp(-d2 / (2 * sigma * sigma));
}

/// How much of the bevel is broken away at a place, 0 ... 1.
double nick_strength(const Scene& scene, double u, double s, double distance) {
  if (!scene.nick || distance < -1 || distance > kBevelWidth) return 0;
  const double along = std::hypot(u - scene.nick->u, s - scene.nick->s);
  const double width = kBevelWidth * (0.55 + 0.15 * noise2(u * 0.3, s * 0.3, scene.key));
  return smoothstep(0.5 * scene.nick->length, 0.38 * scene.nick->length, std::max(along, distance)) *
         smoothstep(width + 1, width - 1, distance);
}

double stain_strength(const Stain& stain, double u, double s) {
  const double du = u - stain.u, ds = s - stain.s, r = std::hypot(du, ds);
  if (r > 2.2 * stain.radius) return 0;
  const double edge = stain.radius * (1 + 0.35 * noise2(u * 0.12, s * 0.12, stain.key));
  return smoothstep(edge * 1.3, edge * 0.6, r);
}

struct GrooveHit {
  double distance = 1e9;
  double normal_u = 0, normal_s = 0;  ///< unit vector away from the line, times the side
};

GrooveHit nearest_on(const Groove& g, double u, double s) {
  GrooveHit hit;
  for (std::size_t i = 0; i + 1 < g.points.size(); ++i) {
    const double au = g.points[i][0], as = g.points[i][1];
    const double bu = g.points[i + 1][0] - au, bs = g.points[i + 1][1] - as;
    const double t = std::clamp(((u - au) * bu + (s - as) * bs) / (bu * bu + bs * bs), 0.0, 1.0);
    const double du = u - au - t * bu, ds = s - as - t * bs, d = std::hypot(du, ds);
    if (d < hit.distance) hit = {d, d > 0 ? du / d : 0, d > 0 ? ds / d : 0};
  }
  return hit;
}

class Renderer {
 public:
  Renderer(const Scene& scene, int size)
      : scene_(scene),
        size_(size),
        marks_coarse_(401, Rng(scene.key, "marks.coarse")),
        marks_fine_(1601, Rng(scene.key, "marks.fine")) {}

  /// Radiance (linear RGB) along the ray through a point of the image plane, in reference pixels.
  std::array<double, 3> radiance(double px, double py, Rng& rng) const {
    const Surface hit = intersect(px, py);
    if (hit.kind == Kind::kBackground) return background(px, py);
    if (hit.kind == Kind::kInside) {
      const double depth = 0.5 + 0.5 * hit.normal.z;
      const double v =
          scene_.chamber * (0.10 + 0.22 * depth + 0.05 * noise2(hit.u * 0.05, hit.s * 0.4, scene_.key + 3));
      return {v, v * 0.99, v * 0.97};
    }
    double slope_u = 0, slope_s = 0;
    micro_slopes(hit, rng, slope_u, slope_s);
    std::array<double, 3> reflectance = {0.80, 0.79, 0.775};
    Vec normal = hit.normal;
    if (hit.kind == Kind::kSurface) {
      macro_slopes(hit, slope_u, slope_s);
      for (const Stain& stain : scene_.stains) {
        const double a = stain.strength * stain_strength(stain, hit.u, hit.s);
        for (std::size_t c = 0; c < 3; ++c) reflectance[c] *= lerp(1, stain.tint[c], a);
      }
    } else {
      const double nick = nick_strength(scene_, hit.u, hit.s, hit.distance);
      if (nick > 0) {  // broken, rough metal: no mirror, little light
        slope_u += nick * scene_.nick->depth * noise2(hit.u * 0.5, hit.s * 0.5, scene_.key + 5);
        slope_s += nick * scene_.nick->depth * noise2(hit.u * 0.5, hit.s * 0.5, scene_.key + 6);
        for (double& r : reflectance) r *= lerp(1, 0.55, nick * scene_.nick->depth / 0.7);
      }
    }
    normal = normalised(normal - hit.tangent_u * slope_u - hit.tangent_s * slope_s);
    const Vec mirror = normal * (2 * normal.z) - Vec{0, 0, 1};  // view direction is +z
    const double light = environment(mirror);
    // Schlick's Fresnel term for a conductor, a few per cent at these angles
    const double fresnel = std::pow(1 - std::clamp(normal.z, 0.0, 1.0), 5);
    return {light * lerp(reflectance[0], 1, fresnel), light * lerp(reflectance[1], 1, fresnel),
            light * lerp(reflectance[2], 1, fresnel)};
  }

  bool defective(double px, double py) const {
    const Surface hit = intersect(px, py);
    if (hit.kind == Kind::kBackground) return false;
    if (scene_.bump) {  // what the changed contour turned into something else
      Scene plain = scene_;
      plain.bump.reset();
      return classify(plain, hit.u, hit.s) != classify(scene_, hit.u, hit.s) &&
             std::abs(bump_shift(scene_, hit.u, hit.s)) > 0.5;
    }
    if (hit.kind == Kind::kBevel) return nick_strength(scene_, hit.u, hit.s, hit.distance) > 0.5;
    if (hit.kind != Kind::kSurface) return false;
    for (std::size_t i = scene_.first_defect_groove; i < scene_.grooves.size(); ++i) {
      if (nearest_on(scene_.grooves[i], hit.u, hit.s).distance <= scene_.grooves[i].half_width + 0.5)
        return true;
    }
    for (const Dimple& d : scene_.dimples) {
      if (std::hypot(hit.u - d.u, (hit.s - d.s) * d.aspect) <= 1.25 * d.radius) return true;
    }
    for (const Stain& stain : scene_.stains) {
      if (stain_strength(stain, hit.u, hit.s) > 0.5) return true;
    }
    return false;
  }

  double reference_scale() const { return kReferenceSize / size_; }

 private:
  enum class Kind { kBackground, kSurface, kBevel, kInside };
  struct Surface {
    Kind kind = Kind::kBackground;
    double u = 0, s = 0, distance = 0;
    Vec normal, tangent_u, tangent_s;  ///< camera coordinates, z towards the camera
  };

  static Kind classify(const Scene& scene, double u, double s) {
    const double d = outline_distance(u, s) + bump_shift(scene, u, s);
    if (d < 0) return Kind::kInside;
    return d < kBevelWidth ? Kind::kBevel : Kind::kSurface;
  }

  Vec to_part(const Vec& v) const {
    return {dot(scene_.rows[0], v), dot(scene_.rows[1], v), dot(scene_.rows[2], v)};
  }
  Vec to_camera(const Vec& v) const {
    return scene_.rows[0] * v.x + scene_.rows[1] * v.y + scene_.rows[2] * v.z;
  }

  Surface intersect(double px, double py) const {
    const Vec origin = to_part((Vec{px - kReferenceSize / 2, py - kReferenceSize / 2, 400} - scene_.shift) *
                               (1 / scene_.scale));
    const Vec direction = to_part({0, 0, -1});
    Surface out;
    const double a = direction.y * direction.y + direction.z * direction.z;
    const double b = origin.y * direction.y + origin.z * direction.z;
    const double c = origin.y * origin.y + origin.z * origin.z - kRadius * kRadius;
    const double disc = b * b - a * c;
    if (disc <= 0) return out;
    const Vec point = origin + direction * ((-b - std::sqrt(disc)) / a);
    if (std::abs(point.x) > kLength / 2) return out;
    out.u = point.x;
    const double phi = std::atan2(point.y, point.z);
    out.s = kRadius * phi;
    out.distance = outline_distance(out.u, out.s) + bump_shift(scene_, out.u, out.s);
    out.kind = classify(scene_, out.u, out.s);
    const Vec radial{0, std::sin(phi), std::cos(phi)}, around{0, std::cos(phi), -std::sin(phi)};
    out.tangent_u = to_camera({1, 0, 0});
    out.tangent_s = to_camera(around);
    out.normal = to_camera(radial);
    if (out.kind == Kind::kInside) {
      const double inner =
          b * b - a * (origin.y * origin.y + origin.z * origin.z - kInnerRadius * kInnerRadius);
      if (inner > 0) {
        const Vec far = origin + direction * ((-b + std::sqrt(inner)) / a);
        out.u = far.x;
        out.s = kInnerRadius * std::atan2(far.y, far.z);
        out.normal = normalised(to_camera({0, -far.y, -far.z}));
      }
    } else if (out.kind == Kind::kBevel) {
      constexpr double kStep = 0.5;
      auto d = [&](double u, double s) { return outline_distance(u, s) + bump_shift(scene_, u, s); };
      double gu = d(out.u + kStep, out.s) - d(out.u - kStep, out.s);
      double gs = d(out.u, out.s + kStep) - d(out.u, out.s - kStep);
      const double g = std::max(1e-9, std::hypot(gu, gs));
      gu /= g;
      gs /= g;
      const double round = kBevelAngle * smoothstep(kBevelWidth, kBevelWidth - 2.5, out.distance);
      out.normal = normalised(out.normal * std::cos(round) -
                              (out.tangent_u * gu + out.tangent_s * gs) * std::sin(round));
    } else {  // broken outer edges
      const double end = kLength / 2 - std::abs(out.u);
      const double round = 0.6 * smoothstep(7, 0, end) * (out.u > 0 ? 1 : -1);
      out.normal = normalised(out.normal + out.tangent_u * round);
    }
    return out;
  }

  void micro_slopes(const Surface& hit, Rng& rng, double& slope_u, double& slope_s) const {
    // one Box-Muller pair: two independent normals
    const double radius = std::sqrt(-2 * std::log(1 - rng.uniform())), angle = 2 * kPi * rng.uniform();
    slope_u = scene_.roughness_u * radius * std::cos(angle);
    slope_s = scene_.roughness_s * radius * std::sin(angle);
    const double wobble = 0.6 * noise2(hit.u * 0.02, hit.s * 0.03, scene_.key + 1);
    const double marks = 0.6 * marks_coarse_((hit.u + wobble) * 0.35) + marks_fine_((hit.u + wobble) * 1.1);
    slope_u += scene_.texture * marks * (hit.kind == Kind::kSurface ? 1 : 0.3);
    slope_s += 0.012 * noise2(hit.u * 0.045, hit.s * 0.06, scene_.key + 2);
  }

  void macro_slopes(const Surface& hit, double& slope_u, double& slope_s) const {
    for (const Groove& g : scene_.grooves) {
      if (!g.near(hit.u, hit.s)) continue;
      const GrooveHit line = nearest_on(g, hit.u, hit.s);
      if (line.distance > 2.2 * g.half_width) continue;
      // V-shaped bottom with raised lips: slope falls in, rises out
      const double x = line.distance / g.half_width;
      const double profile = x < 1 ? 1 - 0.3 * x : -0.5 * (2.2 - x) / 1.2;
      slope_u += g.slope * profile * line.normal_u * 2;
      slope_s += g.slope * profile * line.normal_s * 2;
    }
    for (const Dimple& d : scene_.dimples) {
      const double du = (hit.u - d.u) / d.radius, ds = (hit.s - d.s) * d.aspect / d.radius;
      const double r2 = du * du + ds * ds;
      if (r2 > 6) continue;
      const double gauss = 1.65 * d.slope * std::exp(-r2);  // slope of a Gaussian depression, peak = d.slope
      slope_u += gauss * du * 1.4;
      slope_s += gauss * ds * 1.4;
    }
  }

  /// Light from a direction: annular light, white chamber with a darker floor, the camera's dark opening.
  double environment(const Vec& direction) const {
    const Vec axis = normalised({scene_.light_x, scene_.light_y, 1});
    const double theta = std::acos(std::clamp(dot(normalised(direction), axis), -1.0, 1.0));
    constexpr double kSoft = 0.035;
    double ring = smoothstep(scene_.ring_low - kSoft, scene_.ring_low + kSoft, theta) *
                  smoothstep(scene_.ring_high + kSoft, scene_.ring_high - kSoft, theta);
    if (ring > 0) ring *= 1 + 0.12 * std::cos(18 * std::atan2(direction.y - axis.y, direction.x - axis.x));
    // The chamber's rim: a dark gap between lid and wall, then the wall, darker towards the floor.
    const double rim = 1 - 0.45 * smoothstep(0.10, 0.02, std::abs(theta - 1.05));
    const double chamber = scene_.chamber * rim * (0.30 + 0.70 * smoothstep(-1.0, 0.7, direction.z)) *
                           (1 - 0.12 * direction.y) * (1 - 0.75 * smoothstep(0.20, 0.10, theta));
    return chamber + scene_.ring_power * ring;
  }

  std::array<double, 3> background(double px, double py) const {
    const double y = (py - kReferenceSize / 2 - scene_.shift.y) / kRadius;
    const double beside =
        smoothstep(kLength / 2 + 30, kLength / 2 - 25, std::abs(px - kReferenceSize / 2 - scene_.shift.x));
    const double outside = std::max(std::abs(y) - 1.0, 0.0);
    const double shadow =
        beside * (0.40 * std::exp(-outside / 0.10) + 0.18 * std::exp(-outside / 0.45)) + 0.06;
    const double v = scene_.chamber * 1.75 * (1 - shadow) *
                     (1 + 0.015 * noise2(px * 0.01, py * 0.01, scene_.key + 4) +
                      0.01 * noise2(px * 0.3, py * 0.3, scene_.key + 7));
    return {v, v * 0.995, v * 0.985};
  }

  const Scene& scene_;
  int size_;
  LineNoise marks_coarse_, marks_fine_;
};

/// Webcam: vignette, exposure, colour cast, lens blur, sensor noise, gamma, JPEG.
RgbImage expose(std::vector<float> linear, const Scene& scene, int size, std::uint64_t seed) {
  const double sigma = scene.blur * size / kReferenceSize;
  const int radius = 2;
  std::array<float, 5> taps{};
  float sum = 0;
  for (int k = -radius; k <= radius; ++k)
    sum += taps[k + radius] = static_cast<float>(std::exp(-0.5 * k * k / (sigma * sigma)));
  std::vector<float> other(linear.size());
  for (int pass = 0; pass < 2; ++pass) {  // separable blur: rows, then columns
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        float* out = &other[3 * (static_cast<std::size_t>(y) * size + x)];
        out[0] = out[1] = out[2] = 0;
        for (int k = -radius; k <= radius; ++k) {
          const int sx = pass == 0 ? std::clamp(x + k, 0, size - 1) : x;
          const int sy = pass == 1 ? std::clamp(y + k, 0, size - 1) : y;
          const float* in = &linear[3 * (static_cast<std::size_t>(sy) * size + sx)];
          for (int c = 0; c < 3; ++c) out[c] += taps[k + radius] / sum * in[c];
        }
      }
    }
    linear.swap(other);
  }
  RgbImage image(size, size);
  Rng rng(seed, "sleeve.sensor");
  const std::array<double, 3> cast = {1 + scene.warmth, 1, 1 - scene.warmth};
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const double dx = (x + 0.5) / size - 0.5, dy = (y + 0.5) / size - 0.5;
      const double falloff = scene.exposure * (1 - scene.vignette * 2 * (dx * dx + dy * dy));
      const std::size_t i = 3 * (static_cast<std::size_t>(y) * size + x);
      const double luminance_noise = rng.normal();
      for (std::size_t c = 0; c < 3; ++c) {
        const double signal = std::max(0.0, linear[i + c] * falloff * cast[c]);
        const double noisy =
            signal + scene.noise * std::sqrt(0.15 + signal) * (0.8 * luminance_noise + 0.6 * rng.normal());
        const double shoulder = noisy < 0.8 ? noisy : 0.8 + 0.2 * (1 - std::exp(-(noisy - 0.8) / 0.2));
        image.pixels[i + c] =
            static_cast<std::uint8_t>(std::lround(255 * std::pow(std::clamp(shoulder, 0.0, 1.0), 1 / 2.2)));
      }
    }
  }
  return decode_image(encode_jpeg(image, scene.jpeg_quality), "rendered sleeve");
}

std::optional<SleeveImage> try_render(SleeveDefect defect, int size, std::uint64_t seed) {
  const Scene scene = draw_scene(defect, seed);
  const Renderer renderer(scene, size);
  const double step = renderer.reference_scale();
  SleeveImage out;
  out.mask = Mask(size, size);
  if (defect != SleeveDefect::kNone) {
    std::int64_t area = 0;
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        const bool bad = renderer.defective((x + 0.5) * step, (y + 0.5) * step);
        out.mask.pixels[static_cast<std::size_t>(y) * size + x] = bad ? 1 : 0;
        area += bad ? 1 : 0;
      }
    }
    const double reference_area = static_cast<double>(area) * step * step;
    if (reference_area < 60) return std::nullopt;  // hidden by the pose: draw another
  }
  std::vector<float> linear(3 * static_cast<std::size_t>(size) * size);
  constexpr int kGrid = 3;  // stratified samples per pixel and axis: antialiasing and microfacets at once
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      Rng rng(seed, "sleeve.pixel", y, x);
      std::array<double, 3> sum{};
      for (int k = 0; k < kGrid * kGrid; ++k) {
        const double px = (x + (k % kGrid + rng.uniform()) / kGrid) * step;
        const double py = (y + (k / kGrid + rng.uniform()) / kGrid) * step;
        const auto light = renderer.radiance(px, py, rng);
        for (std::size_t c = 0; c < 3; ++c) sum[c] += light[c];
      }
      double dust = 1;
      for (const Speck& speck : scene.specks) {
        if (std::abs((y + 0.5) * step - speck.y) > speck.radius + 1) continue;
        const double d = std::hypot((x + 0.5) * step - speck.x, (y + 0.5) * step - speck.y);
        if (d < speck.radius + 1)
          dust *= 1 - speck.darkness * smoothstep(speck.radius + 0.7, speck.radius - 0.7, d);
      }
      const std::size_t i = 3 * (static_cast<std::size_t>(y) * size + x);
      for (std::size_t c = 0; c < 3; ++c) linear[i + c] = static_cast<float>(sum[c] / (kGrid * kGrid) * dust);
    }
  }
  out.image = expose(std::move(linear), scene, size, seed);
  return out;
}

}  // namespace

SleeveImage render_sleeve(SleeveDefect defect, int size, std::uint64_t seed) {
  if (size < 64 || size > 4096) fail(ErrorCode::kConfig, "size = {}: must be from 64 to 4096 pixels", size);
  for (int attempt = 0; attempt < 100; ++attempt) {
    if (auto image = try_render(defect, size, derive_seed(seed, attempt))) return *image;
  }
  GLINT_CHECK(false);
  return {};
}

int write_sleeve_set(const fs::path& out, const SleeveSetOptions& options, ProgressSink& progress) {
  if (options.per_class.size() != 5) fail(ErrorCode::kConfig, "per-class counts: five numbers are needed");
  StagedFolder staged(out);  // an interrupted run leaves no folder that looks complete
  struct Job {
    SleeveDefect defect;
    fs::path image, mask;
    std::uint64_t seed;
  };
  std::vector<Job> jobs;
  auto add = [&](SleeveDefect defect, const std::string& part, int count) {
    const std::string label(enum_name(defect));
    for (int i = 0; i < count; ++i) {
      const std::string stem = fmt::format("{:03}", i);
      jobs.push_back({defect, staged.path() / part / label / (stem + ".png"),
                      defect == SleeveDefect::kNone
                          ? fs::path()
                          : staged.path() / "ground_truth" / label / (stem + "_mask.png"),
                      derive_seed(options.seed, stream_key(part), static_cast<int>(defect), i)});
    }
  };
  add(SleeveDefect::kNone, "train", options.train);
  add(SleeveDefect::kNone, "test", options.test_good);
  for (std::size_t c = 0; c < 5; ++c) add(static_cast<SleeveDefect>(c + 1), "test", options.per_class[c]);
  for (const Job& job : jobs) make_folder(job.image.parent_path());

  progress.begin("rendering sleeves", static_cast<std::int64_t>(jobs.size()));
  std::atomic<std::int64_t> done{0};
  parallel_for(static_cast<std::int64_t>(jobs.size()), [&](std::int64_t i) {
    throw_if_cancelled();
    const Job& job = jobs[i];
    const SleeveImage rendered = render_sleeve(job.defect, options.size, job.seed);
    if (!job.mask.empty()) write_file(job.mask, encode_png(rendered.mask));
    write_file(job.image, encode_png(rendered.image));
    progress.advance(++done, "");
  });
  progress.end();
  staged.commit();
  return static_cast<int>(jobs.size());
}

}  // namespace glint
