#include "glint/image/raster.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace glint {

void fill_polygon(Mask& mask, std::span<const OutlinePoint> outline) {
  if (outline.size() < 3 || mask.pixels.empty()) return;
  constexpr int kShift = 8;  // fractional bits
  // far outside is as good as just outside, and keeps OpenCV's fixed point from overflowing
  const double margin = std::min(2.0 * (static_cast<double>(mask.width) + mask.height), 1048576.0);
  std::vector<cv::Point> points;
  for (const OutlinePoint& p : outline) {
    auto fixed = [&](double v) {
      const double clipped = std::isfinite(v) ? std::clamp(v - 0.5, -margin, margin) : -margin;
      return static_cast<int>(std::lround(clipped * (1 << kShift)));
    };
    points.emplace_back(fixed(p.x), fixed(p.y));
  }
  cv::Mat view(mask.height, mask.width, CV_8U, mask.pixels.data());
  cv::fillPoly(view, std::vector<std::vector<cv::Point>>{points}, cv::Scalar(1), cv::LINE_8, kShift);
}

void fill_ellipse(Mask& mask, OutlinePoint centre, double radius_x, double radius_y, double angle_deg) {
  constexpr int kCorners = 180;
  const double turn = angle_deg * std::numbers::pi / 180;
  std::vector<OutlinePoint> outline;
  for (int i = 0; i < kCorners; ++i) {
    const double a = 2 * std::numbers::pi * i / kCorners;
    const double x = radius_x * std::cos(a), y = radius_y * std::sin(a);
    outline.push_back({centre.x + x * std::cos(turn) - y * std::sin(turn),
                       centre.y + x * std::sin(turn) + y * std::cos(turn)});
  }
  fill_polygon(mask, outline);
}

}  // namespace glint
