#include "glint/image/grey.h"

#include "glint/base/error.h"

namespace glint {

GreyImage to_grey(const RgbImage& image) {
  GreyImage out{image.width, image.height, {}};
  out.pixels.resize(static_cast<std::size_t>(image.width) * image.height);
  for (std::size_t i = 0; i < out.pixels.size(); ++i) {
    const std::uint8_t* rgb = &image.pixels[3 * i];
    out.pixels[i] = static_cast<std::uint8_t>((299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] + 500) / 1000);
  }
  return out;
}

Grid<double> window_sums(const Grid<double>& values, int window_width, int window_height) {
  GLINT_CHECK(window_width >= 1 && window_height >= 1 && window_width <= values.width &&
              window_height <= values.height);
  // Each sum anew: running sums would carry the rounding of a bright place across the picture.
  Grid<double> rows(values.width - window_width + 1, values.height);
  for (int y = 0; y < rows.height; ++y) {
    for (int x = 0; x < rows.width; ++x) {
      double sum = 0;
      for (int i = 0; i < window_width; ++i) sum += values.at(x + i, y);
      rows.at(x, y) = sum;
    }
  }
  Grid<double> out(rows.width, values.height - window_height + 1);
  for (int y = 0; y < out.height; ++y) {
    for (int i = 0; i < window_height; ++i) {
      for (int x = 0; x < out.width; ++x) out.at(x, y) += rows.at(x, y + i);
    }
  }
  return out;
}

ScoreMap to_map(const Grid<double>& grid) {
  ScoreMap out(grid.width, grid.height);
  for (std::size_t i = 0; i < grid.values.size(); ++i) out.values[i] = static_cast<float>(grid.values[i]);
  return out;
}

}  // namespace glint
