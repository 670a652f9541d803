#include "glint/synth/sleeve_surface.h"

#include <algorithm>
#include <cmath>

namespace glint::sleeve {
namespace {

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

/// Signed distance to the outline of the nearer cut-out on the unrolled surface; negative inside.
double outline_distance(double u, double s) {
  const double du = std::abs(std::abs(u) - kCutCentre) - (kCutHalfU - kCutCorner);
  const double ds = std::abs(s) - (kCutHalfS - kCutCorner);
  const double outside = std::hypot(std::max(du, 0.0), std::max(ds, 0.0));
  return outside + std::min(std::max(du, ds), 0.0) - kCutCorner;
}

/// Shift of the outline by a changed bevel contour.
double bump_shift(const std::optional<EdgeFlaw>& bump, double u, double s) {
  if (!bump) return 0;
  const double d2 = (u - bump->u) * (u - bump->u) + (s - bump->s) * (s - bump->s);
  const double sigma = bump->length / 3;
  return d2 > 9 * sigma * sigma ? 0 : bump->depth * std::exp(-d2 / (2 * sigma * sigma));
}

/// How much of the bevel is broken away at a place, 0 ... 1.
double nick_strength(const Scene& scene, double u, double s, double distance) {
  if (!scene.nick || distance < -1 || distance > kBevelWidth) return 0;
  const double along = std::hypot(u - scene.nick->u, s - scene.nick->s);
  const double width = kBevelWidth * (scene.nick->width + 0.15 * noise2(u * 0.3, s * 0.3, scene.key));
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

}  // namespace

SleeveSurface::SleeveSurface(const Scene& scene)
    : scene_(scene),
      marks_coarse_(401, Rng(scene.key, "marks.coarse")),
      marks_fine_(1601, Rng(scene.key, "marks.fine")) {}

std::array<double, 3> SleeveSurface::radiance(double px, double py, Rng& rng) const {
  const Surface hit = intersect(px, py, scene_.bump);
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
      const double dark = std::max(0.05, lerp(1, 0.55, nick * scene_.nick->depth / 0.7));
      for (double& r : reflectance) r *= dark;
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

bool SleeveSurface::defective(double px, double py) const {
  const Surface hit = intersect(px, py, scene_.bump);
  if (hit.kind == Kind::kBackground) return false;
  if (scene_.bump) {  // what the changed contour turned into something else
    if (scene_.relief) {
      return std::abs(bump_shift(scene_.bump, hit.entry_u, hit.entry_s)) > 0.5 &&
             intersect(px, py, std::nullopt).kind != hit.kind;
    }
    return classify(std::nullopt, hit.u, hit.s) != classify(scene_.bump, hit.u, hit.s) &&
           std::abs(bump_shift(scene_.bump, hit.u, hit.s)) > 0.5;
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

SleeveSurface::Kind SleeveSurface::classify(const Bump& bump, double u, double s) {
  const double d = outline_distance(u, s) + bump_shift(bump, u, s);
  if (d < 0) return Kind::kInside;
  return d < kBevelWidth ? Kind::kBevel : Kind::kSurface;
}

void SleeveSurface::descend(const Vec& entry, const Vec& direction, const Bump& bump, Surface& hit) const {
  static const double kSlope = std::tan(kBevelAngle);
  double height = 0;  // above the full cylinder
  // Height of the ray above the material at `t` behind the entry; the wall below the bevel is vertical.
  const auto clearance = [&](double t) {
    const Vec p = entry + direction * t;
    hit.u = p.x;
    hit.s = kRadius * std::atan2(p.y, p.z);
    hit.distance = outline_distance(hit.u, hit.s) + bump_shift(bump, hit.u, hit.s);
    height = std::hypot(p.y, p.z) - kRadius;
    if (hit.distance < 0) return height + (kRadius - kInnerRadius);
    return height + kSlope * std::max(kBevelWidth - hit.distance, 0.0);
  };
  constexpr double kStep = 1.5;
  double above = 0, below = kStep;
  while (clearance(below) > 0) {
    if (height > 0) {  // out again over the limb
      hit.kind = Kind::kBackground;
      return;
    }
    above = below;
    below += kStep;
  }
  for (int i = 0; i < 5; ++i) {
    const double middle = 0.5 * (above + below);
    (clearance(middle) > 0 ? above : below) = middle;
  }
  clearance(below);
  // Below the bevel's foot there is the wall or, through the cut-out, the bore: both dark.
  hit.kind = hit.distance < 0 || height < -kSlope * kBevelWidth ? Kind::kInside : Kind::kBevel;
}

SleeveSurface::Surface SleeveSurface::intersect(double px, double py, const Bump& bump) const {
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
  double phi = std::atan2(point.y, point.z);
  out.s = kRadius * phi;
  out.entry_u = out.u;
  out.entry_s = out.s;
  out.distance = outline_distance(out.u, out.s) + bump_shift(bump, out.u, out.s);
  out.kind = classify(bump, out.u, out.s);
  if (scene_.relief && out.kind != Kind::kSurface) {
    descend(point, direction, bump, out);
    if (out.kind == Kind::kBackground) return out;
    phi = out.s / kRadius;
  }
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
    auto d = [&](double u, double s) { return outline_distance(u, s) + bump_shift(bump, u, s); };
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

void SleeveSurface::micro_slopes(const Surface& hit, Rng& rng, double& slope_u, double& slope_s) const {
  // one Box-Muller pair: two independent normals
  const double radius = std::sqrt(-2 * std::log(1 - rng.uniform())), angle = 2 * kPi * rng.uniform();
  slope_u = scene_.roughness_u * radius * std::cos(angle);
  slope_s = scene_.roughness_s * radius * std::sin(angle);
  const double wobble = 0.6 * noise2(hit.u * 0.02, hit.s * 0.03, scene_.key + 1);
  const double marks = 0.6 * marks_coarse_((hit.u + wobble) * 0.35) + marks_fine_((hit.u + wobble) * 1.1);
  slope_u += scene_.texture * marks * (hit.kind == Kind::kSurface ? 1 : 0.3);
  slope_s += 0.012 * noise2(hit.u * 0.045, hit.s * 0.06, scene_.key + 2);
}

void SleeveSurface::macro_slopes(const Surface& hit, double& slope_u, double& slope_s) const {
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

double SleeveSurface::environment(const Vec& direction) const {
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

std::array<double, 3> SleeveSurface::background(double px, double py) const {
  const double y = (py - kReferenceSize / 2 - scene_.shift.y) / kRadius;
  const double beside =
      smoothstep(kLength / 2 + 30, kLength / 2 - 25, std::abs(px - kReferenceSize / 2 - scene_.shift.x));
  const double outside = std::max(std::abs(y) - 1.0, 0.0);
  const double shadow = beside * (0.40 * std::exp(-outside / 0.10) + 0.18 * std::exp(-outside / 0.45)) + 0.06;
  const double v = scene_.chamber * 1.75 * (1 - shadow) *
                   (1 + 0.015 * noise2(px * 0.01, py * 0.01, scene_.key + 4) +
                    0.01 * noise2(px * 0.3, py * 0.3, scene_.key + 7));
  return {v, v * 0.995, v * 0.985};
}

}  // namespace glint::sleeve
