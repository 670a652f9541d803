#include "glint/image/filters/local_binary_patterns.h"

#include <array>
#include <bit>
#include <cmath>
#include <numbers>

#include "glint/base/error.h"

namespace glint {
namespace {

/// One sample of the circle: four neighbours of the centre with their weights.
struct CircleSample {
  std::array<std::ptrdiff_t, 4> offset;  ///< in the picture's pixels, row-major
  std::array<double, 4> weight;
};

std::vector<CircleSample> circle_of(int points, int radius, int width) {
  std::vector<CircleSample> out;
  for (int p = 0; p < points; ++p) {
    const double angle = 2 * std::numbers::pi * p / points;
    const auto rounded = [](double v) { return std::round(v * 1e5) / 1e5; };
    const double x = rounded(radius * std::cos(angle)), y = rounded(-radius * std::sin(angle));
    const int x0 = static_cast<int>(std::floor(x)), y0 = static_cast<int>(std::floor(y)),
              x1 = static_cast<int>(std::ceil(x)), y1 = static_cast<int>(std::ceil(y));
    const double dx = x - x0, dy = y - y0;
    const auto at = [width](int ox, int oy) { return static_cast<std::ptrdiff_t>(oy) * width + ox; };
    out.push_back({{at(x0, y0), at(x1, y0), at(x0, y1), at(x1, y1)},
                   {(1 - dy) * (1 - dx), (1 - dy) * dx, dy * (1 - dx), dy * dx}});
  }
  return out;
}

/// How often neighbouring bits differ, once around.
int changes(unsigned code, int points) {
  const unsigned all = (1U << points) - 1;
  const unsigned turned = (code >> 1 | code << (points - 1)) & all;
  return std::popcount(code ^ turned);
}

}  // namespace

Grid<std::uint16_t> binary_patterns(const GreyImage& image, int points, int radius) {
  GLINT_CHECK(points >= 2 && points <= 16 && radius >= 1 && image.width > 2 * radius &&
              image.height > 2 * radius);
  const std::vector<CircleSample> circle = circle_of(points, radius, image.width);
  Grid<std::uint16_t> out(image.width - 2 * radius, image.height - 2 * radius);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      const std::uint8_t* centre =
          &image.pixels[static_cast<std::size_t>(y + radius) * image.width + x + radius];
      unsigned code = 0;
      for (int p = 0; p < points; ++p) {
        const CircleSample& s = circle[static_cast<std::size_t>(p)];
        // Of differences, so that a flat place is exactly level whatever its grey.
        double above = 0;
        for (std::size_t k = 0; k < 4; ++k) above += s.weight[k] * (centre[s.offset[k]] - *centre);
        if (above >= 0) code |= 1U << p;
      }
      out.at(x, y) = static_cast<std::uint16_t>(code);
    }
  }
  return out;
}

std::vector<int> uniform_labels(int points) {
  std::vector<int> out(std::size_t{1} << points);
  int next = 0;
  for (unsigned code = 0; code < out.size(); ++code)
    out[code] = changes(code, points) <= 2 ? next++ : points * (points - 1) + 2;
  return out;
}

std::vector<int> rotation_invariant_labels(int points) {
  std::vector<int> out(std::size_t{1} << points);
  for (unsigned code = 0; code < out.size(); ++code)
    out[code] = changes(code, points) <= 2 ? std::popcount(code) : points + 1;
  return out;
}

std::vector<double> pattern_histogram(const Grid<std::uint16_t>& codes, const std::vector<int>& label_of,
                                      int labels, int x, int y, int width, int height) {
  GLINT_CHECK(x >= 0 && y >= 0 && width >= 1 && height >= 1 && x + width <= codes.width &&
              y + height <= codes.height);
  std::vector<double> out(static_cast<std::size_t>(labels));
  for (int v = y; v < y + height; ++v) {
    for (int u = x; u < x + width; ++u) ++out[static_cast<std::size_t>(label_of[codes.at(u, v)])];
  }
  for (double& count : out) count /= static_cast<double>(width) * height;
  return out;
}

double chi_square(const float* a, const float* b, int bins) {
  float sum = 0;
  for (int i = 0; i < bins; ++i) {
    const float difference = a[i] - b[i], both = a[i] + b[i];
    sum += both > 0 ? difference * difference / both : 0;
  }
  return 0.5 * sum;
}

double chi_square(const std::vector<double>& a, const std::vector<double>& b) {
  GLINT_CHECK(a.size() == b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = a[i] - b[i], both = a[i] + b[i];
    sum += both > 0 ? difference * difference / both : 0;
  }
  return 0.5 * sum;
}

}  // namespace glint
