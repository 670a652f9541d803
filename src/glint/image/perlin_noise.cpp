#include "glint/image/perlin_noise.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "glint/base/error.h"
#include "glint/image/resample.h"

namespace glint {
namespace {

constexpr int kLargestExponent = 5;  // published with DRAEM

double fade(double t) {
  return t * t * t * (t * (t * 6 - 15) + 10);
}

int power_at_least(int n) {
  return static_cast<int>(std::bit_ceil(static_cast<unsigned>(n)));
}

}  // namespace

PerlinLattice draw_perlin_lattice(int largest_exponent, Rng& rng) {
  const auto choices = static_cast<std::uint64_t>(largest_exponent) + 1;
  PerlinLattice lattice;
  lattice.rows = 1 << rng.below(choices);
  lattice.columns = 1 << rng.below(choices);
  lattice.angles.resize(static_cast<std::size_t>(lattice.rows + 1) * (lattice.columns + 1));
  for (double& angle : lattice.angles) angle = rng.uniform(0, 2 * std::numbers::pi);
  return lattice;
}

ScoreMap perlin_noise(const PerlinLattice& lattice, int width, int height) {
  GLINT_CHECK(lattice.rows > 0 && lattice.columns > 0 && height % lattice.rows == 0 &&
              width % lattice.columns == 0);
  const int cell_height = height / lattice.rows, cell_width = width / lattice.columns;
  ScoreMap out(width, height);
  for (int y = 0; y < height; ++y) {
    const int row = y / cell_height;
    const double u = static_cast<double>(y % cell_height) / cell_height;
    for (int x = 0; x < width; ++x) {
      const int column = x / cell_width;
      const double v = static_cast<double>(x % cell_width) / cell_width;
      const auto corner = [&](int a, int b) {
        const double angle =
            lattice.angles[static_cast<std::size_t>(row + a) * (lattice.columns + 1) + (column + b)];
        return std::cos(angle) * (u - a) + std::sin(angle) * (v - b);
      };
      const double near = std::lerp(corner(0, 0), corner(1, 0), fade(u));
      const double far = std::lerp(corner(0, 1), corner(1, 1), fade(u));
      out.values[static_cast<std::size_t>(y) * width + x] =
          static_cast<float>(std::numbers::sqrt2 * std::lerp(near, far, fade(v)));
    }
  }
  return out;
}

ScoreMap random_perlin_noise(int width, int height, Rng& rng) {
  const int wide = power_at_least(width), high = power_at_least(height);
  const int exponent =
      std::min(kLargestExponent, std::countr_zero(static_cast<unsigned>(std::min(wide, high))));
  return resize_bilinear(perlin_noise(draw_perlin_lattice(exponent, rng), wide, high), width, height);
}

}  // namespace glint
