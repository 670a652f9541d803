// Perlin noise: smooth random patches. The shapes of synthetic defects in DRAEM, SuperSimpleNet and GLASS.
#pragma once

#include <vector>

#include "glint/base/random.h"
#include "glint/image/image.h"

namespace glint {

/// Unit gradients on a lattice of (rows + 1) x (columns + 1) points around rows x columns cells.
struct PerlinLattice {
  int rows = 0, columns = 0;
  std::vector<double> angles;  ///< radians, row-major
};

/// Uniform angles; rows and columns are 2^k each, k uniform in 0 ... `largest_exponent`.
PerlinLattice draw_perlin_lattice(int largest_exponent, Rng& rng);

/// Noise of the lattice on a grid whose sides are multiples of rows and columns; within about -1 to 1. Not
/// periodic. As published with DRAEM: the first coordinate of a gradient belongs to the rows.
ScoreMap perlin_noise(const PerlinLattice& lattice, int width, int height);

/// Noise of a random lattice (exponent 0 ... 5, fewer on a small grid) on the next powers of two, brought to
/// the grid bilinearly, as SuperSimpleNet does for sides that no lattice divides.
ScoreMap random_perlin_noise(int width, int height, Rng& rng);

}  // namespace glint
