// Geometry and shading of the sleeve: where a ray meets the part, what it mirrors there, and whether that
// place belongs to the defect. Orthographic camera, one bounce.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "glint/base/random.h"
#include "glint/synth/sleeve_scene.h"

namespace glint::sleeve {

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

class SleeveSurface {
 public:
  explicit SleeveSurface(const Scene& scene);  ///< keeps a reference

  /// Radiance (linear RGB) along the ray through a point of the image plane, in reference pixels. `rng` draws
  /// the microfacet.
  std::array<double, 3> radiance(double px, double py, Rng& rng) const;

  /// Whether the ray meets the defect.
  bool defective(double px, double py) const;

 private:
  enum class Kind { kBackground, kSurface, kBevel, kInside };
  using Bump = std::optional<EdgeFlaw>;
  struct Surface {
    Kind kind = Kind::kBackground;
    double u = 0, s = 0, distance = 0;
    double entry_u = 0, entry_s = 0;   ///< where the ray meets the full cylinder
    Vec normal, tangent_u, tangent_s;  ///< camera coordinates, z towards the camera
  };

  static Kind classify(const Bump& bump, double u, double s);
  Vec to_part(const Vec& v) const {
    return {dot(scene_.rows[0], v), dot(scene_.rows[1], v), dot(scene_.rows[2], v)};
  }
  Vec to_camera(const Vec& v) const {
    return scene_.rows[0] * v.x + scene_.rows[1] * v.y + scene_.rows[2] * v.z;
  }
  /// With `bump` for the scene's own, to ask what the ray would meet without it.
  Surface intersect(double px, double py, const Bump& bump) const;
  /// Follows a ray from the full cylinder into a cut-out: to its bevel, its wall or the bore.
  void descend(const Vec& entry, const Vec& direction, const Bump& bump, Surface& hit) const;
  void micro_slopes(const Surface& hit, Rng& rng, double& slope_u, double& slope_s) const;
  void macro_slopes(const Surface& hit, double& slope_u, double& slope_s) const;
  /// Light from a direction: annular light, white chamber with a darker floor, the camera's dark opening.
  double environment(const Vec& direction) const;
  std::array<double, 3> background(double px, double py) const;

  const Scene& scene_;
  LineNoise marks_coarse_, marks_fine_;
};

}  // namespace glint::sleeve
