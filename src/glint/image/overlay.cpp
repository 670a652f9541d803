#include "glint/image/overlay.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "glint/image/resample.h"

namespace glint {
namespace {

cv::Mat view(RgbImage& image) {
  return {image.height, image.width, CV_8UC3, image.pixels.data()};
}

/// A perceptually ordered scale (OpenCV's inferno table), as RGB.
const cv::Mat& palette() {
  static const cv::Mat table = [] {
    cv::Mat ramp(1, 256, CV_8U), colours;
    for (int i = 0; i < 256; ++i) ramp.at<std::uint8_t>(0, i) = static_cast<std::uint8_t>(i);
    cv::applyColorMap(ramp, colours, cv::COLORMAP_INFERNO);
    cv::cvtColor(colours, colours, cv::COLOR_BGR2RGB);
    return colours;
  }();
  return table;
}

float position(float value, float low, float high) {
  return high > low ? std::clamp((value - low) / (high - low), 0.0F, 1.0F) : 0.0F;
}

}  // namespace

RgbImage heat_map(const ScoreMap& map, float low, float high) {
  RgbImage out(map.width, map.height);
  for (std::size_t i = 0; i < map.values.size(); ++i) {
    const auto& c = palette().at<cv::Vec3b>(0, static_cast<int>(255 * position(map.values[i], low, high)));
    std::copy_n(c.val, 3, &out.pixels[3 * i]);
  }
  return out;
}

RgbImage heat_overlay(const RgbImage& image, const ScoreMap& map, float low, float high) {
  RgbImage out = resize_antialiased(image, map.width, map.height);
  const RgbImage colours = heat_map(map, low, high);
  constexpr float kMaxOpacity = 0.75F;
  for (std::size_t i = 0; i < map.values.size(); ++i) {
    const float alpha = kMaxOpacity * position(map.values[i], low, high);
    for (std::size_t c = 3 * i; c < 3 * i + 3; ++c) {
      out.pixels[c] = static_cast<std::uint8_t>(std::lround((1 - alpha) * static_cast<float>(out.pixels[c]) +
                                                            alpha * static_cast<float>(colours.pixels[c])));
    }
  }
  return out;
}

void draw_mask_outline(RgbImage& image, const Mask& mask) {
  cv::Mat grey(mask.height, mask.width, CV_8U);
  std::copy(mask.pixels.begin(), mask.pixels.end(), grey.data);
  if (mask.width != image.width || mask.height != image.height) {
    cv::resize(grey > 0, grey, {image.width, image.height}, 0, 0, cv::INTER_AREA);
    grey = grey > 0;  // so that no small region vanishes
  }
  cv::dilate(grey, grey, cv::getStructuringElement(cv::MORPH_ELLIPSE, {5, 5}));
  std::vector<std::vector<cv::Point>> contours;
  cv::findContours(grey, contours, cv::RETR_EXTERNAL, cv::CHAIN_APPROX_NONE);
  cv::Mat out = view(image);
  cv::drawContours(out, contours, -1, {0, 230, 118}, 1);
}

void draw_boxes(RgbImage& image, std::span<const Region> regions) {
  cv::Mat out = view(image);
  for (const Region& r : regions) {
    const cv::Rect box(r.x - 2, r.y - 2, r.width + 4, r.height + 4);
    cv::rectangle(out, box, {0, 0, 0}, 3);
    cv::rectangle(out, box, {255, 255, 255}, 1);
  }
}

}  // namespace glint
