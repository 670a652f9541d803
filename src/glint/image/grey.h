// Grey pictures, and rectangles of numbers that follow from them: for methods that look at pixels themselves.
// Row-major, top left first.
#pragma once

#include <cstdint>
#include <vector>

#include "glint/image/image.h"

namespace glint {

/// 8-bit grey picture.
struct GreyImage {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;
};

/// One value for each place of a rectangle.
template <class T>
struct Grid {
  int width = 0, height = 0;
  std::vector<T> values;

  Grid() = default;
  Grid(int w, int h, T value = {}) : width(w), height(h), values(static_cast<std::size_t>(w) * h, value) {}
  T& at(int x, int y) { return values[static_cast<std::size_t>(y) * width + x]; }
  const T& at(int x, int y) const { return values[static_cast<std::size_t>(y) * width + x]; }
};

/// Luma of ITU-R BT.601 of one pixel's levels.
template <class Level>
double luma_of(const Level* rgb) {
  return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
}

/// Luma of ITU-R BT.601, rounded.
GreyImage to_grey(const RgbImage& image);

/// Sums over every full window of `window_width` x `window_height`: [w - window_width + 1, h - window_height
/// + 1]. The window must fit.
Grid<double> window_sums(const Grid<double>& values, int window_width, int window_height);

/// In single precision, as an anomaly map.
ScoreMap to_map(const Grid<double>& grid);

}  // namespace glint
