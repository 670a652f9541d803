#include "glint/image/measure.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "glint/base/error.h"
#include "glint/image/regions.h"

namespace glint {
namespace {

constexpr int kFramingSide = 256;
constexpr double kHighlightLuma = 250;

cv::Mat luma_of(const RgbImage& image) {
  const cv::Mat rgb(image.height, image.width, CV_8UC3, const_cast<std::uint8_t*>(image.pixels.data()));
  cv::Mat grey;
  cv::cvtColor(rgb, grey, cv::COLOR_RGB2GRAY);
  return grey;
}

double mean_in(const cv::Mat& grey, double x0, double y0, double x1, double y1) {
  const int left = static_cast<int>(x0 * grey.cols), top = static_cast<int>(y0 * grey.rows);
  const int right = std::max(left + 1, static_cast<int>(x1 * grey.cols));
  const int bottom = std::max(top + 1, static_cast<int>(y1 * grey.rows));
  return cv::mean(grey(cv::Rect(left, top, right - left, bottom - top)))[0];
}

void measure_light(const cv::Mat& grey, ImageMeasures& out) {
  out.brightness = cv::mean(grey)[0];
  const double corners = (mean_in(grey, 0, 0, 0.1, 0.1) + mean_in(grey, 0.9, 0, 1, 0.1) +
                          mean_in(grey, 0, 0.9, 0.1, 1) + mean_in(grey, 0.9, 0.9, 1, 1)) /
                         4;
  out.corner_over_centre = corners / std::max(1.0, mean_in(grey, 1.0 / 3, 1.0 / 3, 2.0 / 3, 2.0 / 3));
  const cv::Moments highlight = cv::moments(grey >= kHighlightLuma, /*binaryImage=*/true);
  const double pixels = static_cast<double>(grey.total());
  out.highlight_share = highlight.m00 / pixels;
  const bool any = highlight.m00 > 0;
  out.highlight_x =
      any ? highlight.m10 / highlight.m00 / grey.cols : std::numeric_limits<double>::quiet_NaN();
  out.highlight_y =
      any ? highlight.m01 / highlight.m00 / grey.rows : std::numeric_limits<double>::quiet_NaN();
}

void measure_sharpness(const cv::Mat& grey, ImageMeasures& out) {
  cv::Mat smooth, laplacian;
  cv::GaussianBlur(grey, smooth, cv::Size(5, 5), 1.0);
  cv::Laplacian(smooth, laplacian, CV_32F);
  cv::Scalar mean, deviation, luma_deviation;
  cv::meanStdDev(laplacian, mean, deviation);
  cv::meanStdDev(grey, mean, luma_deviation);
  out.focus = deviation[0] * deviation[0] / std::max(1.0, luma_deviation[0] * luma_deviation[0]);
  // Immerkaer 1996: the difference of two Laplacians cancels structure; the mean of |response| gives sigma.
  const cv::Mat kernel = (cv::Mat_<float>(3, 3) << 1, -2, 1, -2, 4, -2, 1, -2, 1);
  cv::Mat response;
  cv::filter2D(grey, response, CV_32F, kernel);
  const cv::Mat inner = response(cv::Rect(1, 1, grey.cols - 2, grey.rows - 2));
  out.noise = std::sqrt(std::numbers::pi / 2) / 6 * cv::mean(cv::abs(inner))[0];
}

double border_share(const cv::Mat& binary) {
  const double on = cv::countNonZero(binary.row(0)) + cv::countNonZero(binary.row(binary.rows - 1)) +
                    cv::countNonZero(binary.col(0)) + cv::countNonZero(binary.col(binary.cols - 1));
  return on / (2.0 * (binary.rows + binary.cols));
}

/// The part on a copy of at most kFramingSide pixels: Otsu's class that touches the border less. 0 or 255.
cv::Mat small_part(const cv::Mat& grey) {
  const double scale = std::min(1.0, static_cast<double>(kFramingSide) / std::max(grey.rows, grey.cols));
  cv::Mat small, part;
  if (cvRound(scale * std::min(grey.rows, grey.cols)) > 0) {
    cv::resize(grey, small, cv::Size(), scale, scale, cv::INTER_AREA);
  } else {  // a stripe
    const cv::Size size(std::max(1, cvRound(scale * grey.cols)), std::max(1, cvRound(scale * grey.rows)));
    cv::resize(grey, small, size, 0, 0, cv::INTER_AREA);
  }
  cv::GaussianBlur(small, small, cv::Size(5, 5), 1.5);
  cv::threshold(small, part, 0, 255, cv::THRESH_BINARY | cv::THRESH_OTSU);
  if (border_share(part) > 0.5) cv::bitwise_not(part, part);
  return part;
}

void measure_framing(const cv::Mat& grey, ImageMeasures& out) {
  const cv::Mat part = small_part(grey);
  out.part_border_share = border_share(part);
  const cv::Moments m = cv::moments(part, /*binaryImage=*/true);
  if (m.m00 <= 0) {
    out.part_x = out.part_y = out.part_angle_deg = std::numeric_limits<double>::quiet_NaN();
    return;
  }
  out.part_x = m.m10 / m.m00 / part.cols;
  out.part_y = m.m01 / m.m00 / part.rows;
  out.part_share = m.m00 / static_cast<double>(part.total());
  const double xx = m.mu20 / m.m00, yy = m.mu02 / m.m00, xy = m.mu11 / m.m00;
  out.part_angle_deg = 0.5 * std::atan2(2 * xy, xx - yy) * 180 / std::numbers::pi;
  const double middle = (xx + yy) / 2, spread = std::hypot((xx - yy) / 2, xy);
  out.part_elongation = std::sqrt((middle + spread) / std::max(1e-9, middle - spread));
}

}  // namespace

ImageMeasures measure_image(const RgbImage& image) {
  GLINT_CHECK(image.width >= 8 && image.height >= 8);
  ImageMeasures out;
  const cv::Mat rgb(image.height, image.width, CV_8UC3, const_cast<std::uint8_t*>(image.pixels.data()));
  const cv::Scalar channels = cv::mean(rgb);
  out.red_over_green = channels[0] / std::max(1.0, channels[1]);
  out.blue_over_green = channels[2] / std::max(1.0, channels[1]);
  const cv::Mat grey = luma_of(image);
  measure_light(grey, out);
  measure_sharpness(grey, out);
  measure_framing(grey, out);
  return out;
}

Mask part_mask(const RgbImage& image) {
  GLINT_CHECK(image.width >= 8 && image.height >= 8);
  cv::Mat part;
  cv::resize(small_part(luma_of(image)), part, cv::Size(image.width, image.height), 0, 0, cv::INTER_NEAREST);
  Mask out(image.width, image.height);
  std::transform(part.begin<std::uint8_t>(), part.end<std::uint8_t>(), out.pixels.begin(),
                 [](std::uint8_t v) { return static_cast<std::uint8_t>(v != 0 ? 1 : 0); });
  return out;
}

MaskMeasures measure_mask(const RgbImage& image, const Mask& mask) {
  GLINT_CHECK(image.width == mask.width && image.height == mask.height);
  MaskMeasures out;
  for (const Region& region : mask_regions(mask)) {
    const double diameter = 2 * std::sqrt(static_cast<double>(region.area_px) / std::numbers::pi);
    out.smallest_diameter_px = out.regions == 0 ? diameter : std::min(out.smallest_diameter_px, diameter);
    ++out.regions;
    out.area_px += region.area_px;
  }
  // Background regions of the framed complement: the frame joins everything outside to one of them.
  Mask complement(mask.width + 2, mask.height + 2);
  std::fill(complement.pixels.begin(), complement.pixels.end(), std::uint8_t{1});
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x) {
      complement.pixels[static_cast<std::size_t>(y + 1) * complement.width + x + 1] =
          mask.pixels[static_cast<std::size_t>(y) * mask.width + x] ? 0 : 1;
    }
  }
  out.holes = label_regions(complement, Connectivity::kFour).count - 1;

  const cv::Mat grey = luma_of(image);
  cv::Mat dx, dy, gradient, inside, outside;
  cv::Sobel(grey, dx, CV_32F, 1, 0);
  cv::Sobel(grey, dy, CV_32F, 0, 1);
  cv::magnitude(dx, dy, gradient);
  const cv::Mat whole(mask.height, mask.width, CV_8U, const_cast<std::uint8_t*>(mask.pixels.data()));
  cv::erode(whole, inside, cv::Mat(), cv::Point(-1, -1), 2);
  cv::dilate(whole, outside, cv::Mat());
  const cv::Mat outline = (outside != 0) & (inside == 0);
  out.outline_over_inside = cv::countNonZero(inside) == 0 ? std::numeric_limits<double>::quiet_NaN()
                                                          : cv::mean(gradient, outline)[0] /
                                                                std::max(1.0, cv::mean(gradient, inside)[0]);
  return out;
}

std::uint64_t perceptual_hash(const RgbImage& image) {
  constexpr int kSide = 32, kLow = 8;
  cv::Mat small, real, frequencies;
  cv::resize(luma_of(image), small, cv::Size(kSide, kSide), 0, 0, cv::INTER_AREA);
  small.convertTo(real, CV_32F);
  cv::dct(real, frequencies);
  // The 8x8 lowest frequencies without the first row and column, which hold the mean and its like.
  std::array<float, kPerceptualHashBits> low;
  for (int i = 0; i < kPerceptualHashBits; ++i) low[i] = frequencies.at<float>(1 + i / kLow, 1 + i % kLow);
  std::array<float, kPerceptualHashBits> sorted = low;
  std::nth_element(sorted.begin(), sorted.begin() + kPerceptualHashBits / 2, sorted.end());
  std::uint64_t hash = 0;
  for (int i = 0; i < kPerceptualHashBits; ++i) {
    hash |= static_cast<std::uint64_t>(low[i] > sorted[kPerceptualHashBits / 2]) << i;
  }
  return hash;
}

}  // namespace glint
