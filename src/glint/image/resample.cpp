#include "glint/image/resample.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "glint/base/cpu_clones.h"
#include "glint/base/error.h"

namespace glint {
namespace {

/// For each output position: first input index and the weights from there on.
struct AxisWeights {
  std::vector<int> first;
  std::vector<std::vector<float>> weights;
};

/// For `count` output positions from `begin` on, of `out`.
AxisWeights triangle_weights(int in, std::int64_t out, std::int64_t begin, int count) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double support = std::max(scale, 1.0);
  AxisWeights axis;
  for (std::int64_t i = begin; i < begin + count; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const int low = std::max(0, static_cast<int>(centre - support + 0.5));
    const int high = std::min(in, static_cast<int>(centre + support + 0.5));
    std::vector<float> w;
    double sum = 0;
    for (int j = low; j < high; ++j) {
      const double value = std::max(0.0, 1.0 - std::abs((j + 0.5 - centre) / support));
      w.push_back(static_cast<float>(value));
      sum += value;
    }
    for (float& value : w) value = static_cast<float>(value / sum);
    axis.first.push_back(low);
    axis.weights.push_back(std::move(w));
  }
  return axis;
}

bool lies_inside(const Window& w) {
  return w.width > 0 && w.height > 0 && w.x >= 0 && w.y >= 0 && w.x + w.width <= w.full_width &&
         w.y + w.height <= w.full_height;
}

/// The horizontal weights as one row per term: term t of output x is in[first[x] + t], its weight 0 where an
/// output has fewer terms.
struct HorizontalTerms {
  int begin = 0, end = 0;           ///< the input columns that take part
  std::vector<std::int32_t> first;  ///< in values from `begin` on, three a pixel
  std::vector<float> weights;       ///< [outputs, terms]
  int terms = 0;

  explicit HorizontalTerms(const AxisWeights& axis)
      : begin(axis.first.front()), end(axis.first.back() + static_cast<int>(axis.weights.back().size())) {
    for (const auto& w : axis.weights) terms = std::max(terms, static_cast<int>(w.size()));
    weights.resize(axis.first.size() * static_cast<std::size_t>(terms));
    for (std::size_t x = 0; x < axis.first.size(); ++x) {
      const int from = std::min(axis.first[x], end - terms), shift = axis.first[x] - from;
      first.push_back(3 * (from - begin));
      std::copy(axis.weights[x].begin(), axis.weights[x].end(),
                weights.begin() + static_cast<std::ptrdiff_t>(x) * terms + shift);
    }
  }
};

GLINT_CPU_CLONES void add_row(const std::uint8_t* in, float weight, std::size_t values, float* sums) {
  for (std::size_t i = 0; i < values; ++i) sums[i] += weight * static_cast<float>(in[i]);
}

GLINT_CPU_CLONES void resize_row(const float* in, const std::int32_t* first, const float* weights, int terms,
                                 int outputs, std::uint8_t* out) {
  for (int x = 0; x < outputs; ++x, weights += terms, out += 3) {
    const float* pixel = in + first[x];
    float sums[4] = {0.5F, 0.5F, 0.5F, 0};  // of four neighbouring values: the fourth is not used
    for (int t = 0; t < terms; ++t) {
      for (int c = 0; c < 4; ++c) sums[c] += weights[t] * pixel[3 * t + c];
    }
    for (int c = 0; c < 3; ++c) out[c] = static_cast<std::uint8_t>(std::min(std::max(sums[c], 0.0F), 255.0F));
  }
}

}  // namespace

RgbImage resize_window(const RgbImage& image, const Window& window) {
  GLINT_CHECK(image.width > 0 && image.height > 0 && lies_inside(window));
  const HorizontalTerms horizontal(triangle_weights(image.width, window.full_width, window.x, window.width));
  const AxisWeights vertical = triangle_weights(image.height, window.full_height, window.y, window.height);
  // Rows are summed first, as bytes and side by side; then one row of the picture is made narrower.
  const std::size_t values = 3 * static_cast<std::size_t>(horizontal.end - horizontal.begin);
  std::vector<float> sums(values + 1);  // and the fourth neighbour of the last pixel
  RgbImage result(window.width, window.height);
  for (int y = 0; y < window.height; ++y) {
    std::fill(sums.begin(), sums.end(), 0.0F);
    const auto& weights = vertical.weights[static_cast<std::size_t>(y)];
    for (std::size_t t = 0; t < weights.size(); ++t) {
      const int from = vertical.first[static_cast<std::size_t>(y)] + static_cast<int>(t);
      add_row(image.at(horizontal.begin, from), weights[t], values, sums.data());
    }
    resize_row(sums.data(), horizontal.first.data(), horizontal.weights.data(), horizontal.terms,
               window.width, result.at(0, y));
  }
  return result;
}

ImageSize fitted_size(ImageSize size, int side) {
  const int longer = std::max(size.width, size.height);
  if (longer <= side) return size;
  const auto scaled = [&](int length) {
    return std::max(1, static_cast<int>(static_cast<std::int64_t>(length) * side / longer));
  };
  return {scaled(size.width), scaled(size.height)};
}

RgbImage resize_antialiased(const RgbImage& image, int width, int height) {
  GLINT_CHECK(image.width > 0 && image.height > 0 && width > 0 && height > 0);
  if (image.width == width && image.height == height) return image;
  return resize_window(image, {width, height, 0, 0, width, height});
}

RgbImage crop(const RgbImage& image, int x, int y, int width, int height) {
  GLINT_CHECK(x >= 0 && y >= 0 && x + width <= image.width && y + height <= image.height);
  RgbImage out(width, height);
  for (int row = 0; row < height; ++row) {
    std::copy_n(image.at(x, y + row), 3 * static_cast<std::size_t>(width), out.at(0, row));
  }
  return out;
}

RgbImage warp_about_centre(const RgbImage& image, double angle_deg, double shift_x, double shift_y,
                           double scale, bool flip_horizontal) {
  const double a = angle_deg * CV_PI / 180.0, c = std::cos(a) / scale, s = std::sin(a) / scale;
  const double cx = (image.width - 1) / 2.0, cy = (image.height - 1) / 2.0;
  const double tx = cx + shift_x * image.width, ty = cy + shift_y * image.height;
  const double mirror = flip_horizontal ? -1.0 : 1.0;
  // source_from_output: rotate and scale about the shifted centre, then mirror about the source centre.
  const cv::Matx23d m(mirror * c, mirror * -s, cx - mirror * (c * tx - s * ty),  //
                      s, c, cy - (s * tx + c * ty));
  const cv::Mat in(image.height, image.width, CV_8UC3,
                   const_cast<std::uint8_t*>(image.pixels.data()));  // NOLINT: OpenCV has no const view
  RgbImage result(image.width, image.height);
  cv::Mat out(image.height, image.width, CV_8UC3, result.pixels.data());
  cv::warpAffine(in, out, m, out.size(), cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_REFLECT);
  return result;
}

std::vector<BilinearTap> bilinear_taps(std::int64_t in, int out, SampleAlignment alignment) {
  std::vector<BilinearTap> result(static_cast<std::size_t>(out));
  const bool corners = alignment == SampleAlignment::kCorners;
  const float scale = corners ? static_cast<float>(in - 1) / static_cast<float>(std::max(1, out - 1))
                              : static_cast<float>(in) / static_cast<float>(out);
  const float shift = corners ? 0.0F : 0.5F;
  for (int i = 0; i < out; ++i) {
    const float pos = std::max(0.0F, (static_cast<float>(i) + shift) * scale - shift);
    const std::int64_t low = std::min(static_cast<std::int64_t>(pos), in - 1);
    result[i] = {low, std::min(low + 1, in - 1), std::min(pos - static_cast<float>(low), 1.0F)};
  }
  return result;
}

ScoreMap resize_bilinear(const ScoreMap& map, int width, int height, SampleAlignment alignment) {
  if (map.width == width && map.height == height) return map;
  const std::vector<BilinearTap> xs = bilinear_taps(map.width, width, alignment),
                                 ys = bilinear_taps(map.height, height, alignment);
  ScoreMap out(width, height);
  std::vector<float> row(static_cast<std::size_t>(map.width));
  for (int y = 0; y < height; ++y) {
    const float* low = &map.values[static_cast<std::size_t>(ys[y].low) * map.width];
    const float* high = &map.values[static_cast<std::size_t>(ys[y].high) * map.width];
    for (int x = 0; x < map.width; ++x) row[x] = low[x] + ys[y].t * (high[x] - low[x]);
    float* result = &out.values[static_cast<std::size_t>(y) * width];
    for (int x = 0; x < width; ++x) result[x] = row[xs[x].low] + xs[x].t * (row[xs[x].high] - row[xs[x].low]);
  }
  return out;
}

ScoreMap resize_framed(const ScoreMap& map, const Window& window, float outside, int width, int height) {
  GLINT_CHECK(lies_inside(window) && map.width == window.width && map.height == window.height);
  const auto value = [&](std::int64_t x, std::int64_t y) {
    x -= window.x;
    y -= window.y;
    return x >= 0 && y >= 0 && x < map.width && y < map.height
               ? map.at(static_cast<int>(x), static_cast<int>(y))
               : outside;
  };
  const std::vector<BilinearTap> xs = bilinear_taps(window.full_width, width, SampleAlignment::kPixelCentres),
                                 ys = bilinear_taps(window.full_height, height,
                                                    SampleAlignment::kPixelCentres);
  ScoreMap out(width, height);
  float* result = out.values.data();
  for (const BilinearTap& y : ys) {
    const auto between = [&](std::int64_t x) {
      const float low = value(x, y.low);
      return low + y.t * (value(x, y.high) - low);
    };
    for (const BilinearTap& x : xs) {
      const float low = between(x.low);
      *result++ = low + x.t * (between(x.high) - low);
    }
  }
  return out;
}

std::vector<float> gaussian_taps(double sigma) {
  constexpr double kTruncate = 4.0;  // scipy.ndimage.gaussian_filter's default
  return gaussian_taps(sigma, static_cast<int>(kTruncate * sigma + 0.5));
}

std::vector<float> gaussian_taps(double sigma, int radius) {
  std::vector<double> taps;
  double sum = 0;
  for (int k = -radius; k <= radius; ++k) {
    taps.push_back(std::exp(-0.5 * k * k / (sigma * sigma)));
    sum += taps.back();
  }
  std::vector<float> out;
  for (const double t : taps) out.push_back(static_cast<float>(t / sum));
  return out;
}

namespace {

ScoreMap filter(const ScoreMap& map, const std::vector<float>& taps, int border) {
  const cv::Mat in(map.height, map.width, CV_32F, const_cast<float*>(map.values.data()));  // NOLINT: as above
  ScoreMap result(map.width, map.height);
  cv::Mat out(map.height, map.width, CV_32F, result.values.data());
  cv::sepFilter2D(in, out, CV_32F, taps, taps, {-1, -1}, 0, border);
  return result;
}

}  // namespace

ScoreMap gaussian_smooth(const ScoreMap& map, double sigma) {
  GLINT_CHECK(sigma >= 0);
  return sigma == 0 ? map : filter(map, gaussian_taps(sigma), cv::BORDER_REFLECT);
}

ScoreMap gaussian_smooth_five(const ScoreMap& map, double sigma) {
  GLINT_CHECK(sigma >= 0);
  return sigma == 0 ? map : filter(map, gaussian_taps(sigma, 2), cv::BORDER_CONSTANT);
}

}  // namespace glint
