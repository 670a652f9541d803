#include "glint/image/filters/correlation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "glint/base/error.h"

namespace glint {
namespace {

Grid<double> times(const Grid<double>& a, const Grid<double>& b) {
  Grid<double> out(a.width, a.height);
  for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] = a.values[i] * b.values[i];
  return out;
}

double mean_of(const Grid<double>& grid) {
  return std::accumulate(grid.values.begin(), grid.values.end(), 0.0) /
         static_cast<double>(grid.values.size());
}

/// Correlations do not change, but the sums of squares lose less to rounding.
Grid<double> without_mean(Grid<double> grid) {
  const double mean = mean_of(grid);
  for (double& v : grid.values) v -= mean;
  return grid;
}

}  // namespace

Grid<double> to_grid(const GreyImage& image) {
  Grid<double> out(image.width, image.height);
  std::copy(image.pixels.begin(), image.pixels.end(), out.values.begin());
  return out;
}

Grid<double> match_template(const Grid<double>& image, const Grid<double>& pattern) {
  const Grid<double> centred = without_mean(image), flat = without_mean(pattern);
  const double n = static_cast<double>(flat.values.size());
  const double pattern_square =
      std::inner_product(flat.values.begin(), flat.values.end(), flat.values.begin(), 0.0);
  const Grid<double> sums = window_sums(centred, flat.width, flat.height),
                     squares = window_sums(times(centred, centred), flat.width, flat.height);
  Grid<double> out(sums.width, sums.height);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      double cross = 0;
      for (int v = 0; v < flat.height; ++v) {
        const double* row = &centred.at(x, y + v);
        cross = std::inner_product(row, row + flat.width, &flat.at(0, v), cross);
      }
      const double square = squares.at(x, y) - sums.at(x, y) * sums.at(x, y) / n;
      const double scale = std::sqrt(std::max(0.0, square) * pattern_square);
      // Below the rounding of the sums nothing varies.
      out.at(x, y) =
          square > 1e-9 * n && pattern_square > 1e-9 * n ? std::clamp(cross / scale, -1.0, 1.0) : 0;
    }
  }
  return out;
}

Grid<double> local_correlation(const Grid<double>& image, const Grid<double>& reference, int side,
                               double least_deviation) {
  GLINT_CHECK(image.width == reference.width && image.height == reference.height);
  const Grid<double> x = without_mean(image), r = without_mean(reference);
  const auto sums = [side](const Grid<double>& grid) { return window_sums(grid, side, side); };
  const Grid<double> sx = sums(x), sr = sums(r), sxx = sums(times(x, x)), srr = sums(times(r, r)),
                     sxr = sums(times(x, r));
  const double n = static_cast<double>(side) * side;
  const double least = std::max(1e-9, least_deviation * least_deviation);  // variance
  Grid<double> out(sx.width, sx.height);
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    const double mx = sx.values[i] / n, mr = sr.values[i] / n;
    const double variance_x = sxx.values[i] / n - mx * mx, variance_r = srr.values[i] / n - mr * mr;
    out.values[i] =
        variance_r < least
            ? 1
            : std::clamp((sxr.values[i] / n - mx * mr) / std::sqrt(std::max(variance_x, least) * variance_r),
                         -1.0, 1.0);
  }
  return out;
}

}  // namespace glint
