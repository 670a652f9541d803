#include "glint/image/resample.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "glint/base/error.h"

namespace glint {
namespace {

/// For each output position: first input index and the weights from there on.
struct AxisWeights {
  std::vector<int> first;
  std::vector<std::vector<float>> weights;
};

AxisWeights triangle_weights(int in, int out) {
  const double scale = static_cast<double>(in) / out;
  const double support = std::max(scale, 1.0);
  AxisWeights axis;
  for (int i = 0; i < out; ++i) {
    const double centre = (i + 0.5) * scale;
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

}  // namespace

RgbImage resize_antialiased(const RgbImage& image, int width, int height) {
  GLINT_CHECK(image.width > 0 && image.height > 0 && width > 0 && height > 0);
  if (image.width == width && image.height == height) return image;
  const AxisWeights horizontal = triangle_weights(image.width, width);
  const AxisWeights vertical = triangle_weights(image.height, height);
  std::vector<float> rows(3 * static_cast<std::size_t>(width) * image.height);
  for (int y = 0; y < image.height; ++y) {
    float* out = &rows[3 * static_cast<std::size_t>(width) * y];
    for (int x = 0; x < width; ++x) {
      const std::uint8_t* in = image.at(horizontal.first[x], y);
      float r = 0, g = 0, b = 0;
      for (const float w : horizontal.weights[x]) {
        r += w * in[0];
        g += w * in[1];
        b += w * in[2];
        in += 3;
      }
      out[3 * x] = r;
      out[3 * x + 1] = g;
      out[3 * x + 2] = b;
    }
  }
  RgbImage result(width, height);
  std::vector<float> sums(3 * static_cast<std::size_t>(width));
  for (int y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), 0.0F);
    for (std::size_t k = 0; k < vertical.weights[y].size(); ++k) {
      const float w = vertical.weights[y][k];
      const float* in = &rows[sums.size() * (vertical.first[y] + k)];
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += w * in[i];
    }
    std::uint8_t* out = result.at(0, y);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      out[i] = static_cast<std::uint8_t>(std::clamp(sums[i] + 0.5F, 0.0F, 255.0F));
    }
  }
  return result;
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

ScoreMap resize_bilinear(const ScoreMap& map, int width, int height, SampleAlignment alignment) {
  if (map.width == width && map.height == height) return map;
  struct Tap {
    int low, high;
    float t;
  };
  auto taps = [alignment](int in, int out) {
    std::vector<Tap> result(static_cast<std::size_t>(out));
    const bool corners = alignment == SampleAlignment::kCorners;
    const float scale = corners ? static_cast<float>(in - 1) / static_cast<float>(std::max(1, out - 1))
                                : static_cast<float>(in) / static_cast<float>(out);
    const float shift = corners ? 0.0F : 0.5F;
    for (int i = 0; i < out; ++i) {
      const float pos = std::max(0.0F, (static_cast<float>(i) + shift) * scale - shift);
      const int low = std::min(static_cast<int>(pos), in - 1);
      result[i] = {low, std::min(low + 1, in - 1), std::min(pos - static_cast<float>(low), 1.0F)};
    }
    return result;
  };
  const std::vector<Tap> xs = taps(map.width, width), ys = taps(map.height, height);
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
