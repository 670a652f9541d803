// The view of a registered part, its way back, and the pictures that registration works on.
#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "glint/base/error.h"
#include "glint/image/registration.h"
#include "glint/image/registration_picture.h"
#include "glint/image/resample.h"

namespace glint {
namespace {

constexpr double kLeastPart = 0.01, kMostPart = 0.6;  // shares of the frame that a part covers
constexpr double kGrown = 0.03;                       // of the longer side

}  // namespace

cv::Size scaled_size(int width, int height, int longer) {
  const double scale = static_cast<double>(longer) / std::max(width, height);
  return {std::max(1, static_cast<int>(std::lround(width * scale))),
          std::max(1, static_cast<int>(std::lround(height * scale)))};
}

cv::Matx23d photograph_from_view(const Pose& pose, cv::Size view, cv::Size photograph) {
  const double c = std::cos(pose.angle), s = std::sin(pose.angle);
  const double unit = std::max(photograph.width, photograph.height);
  const double vx = (view.width - 1) / 2.0, vy = (view.height - 1) / 2.0;
  return {c, -s, (photograph.width - 1) / 2.0 + pose.shift_x * unit - (c * vx - s * vy),  //
          s, c,  (photograph.height - 1) / 2.0 + pose.shift_y * unit - (s * vx + c * vy)};
}

RgbImage registration_picture(const RgbImage& photograph) {
  const cv::Size size = scaled_size(photograph.width, photograph.height, kRegistrationSide);
  return resize_antialiased(photograph, size.width, size.height);
}

cv::Mat reduced_grey(const RgbImage& photograph) {
  const RgbImage small = registration_picture(photograph);
  cv::Mat out(small.height, small.width, CV_32F);
  for (int y = 0; y < small.height; ++y) {
    for (int x = 0; x < small.width; ++x) {
      const std::uint8_t* p = small.at(x, y);
      out.at<float>(y, x) = 0.299F * static_cast<float>(p[0]) + 0.587F * static_cast<float>(p[1]) +
                            0.114F * static_cast<float>(p[2]);
    }
  }
  return out;
}

float border_median(const cv::Mat& grey) {
  std::vector<float> border;
  for (int x = 0; x < grey.cols; ++x) {
    border.push_back(grey.at<float>(0, x));
    border.push_back(grey.at<float>(grey.rows - 1, x));
  }
  for (int y = 0; y < grey.rows; ++y) {
    border.push_back(grey.at<float>(y, 0));
    border.push_back(grey.at<float>(y, grey.cols - 1));
  }
  const auto middle = border.begin() + std::ssize(border) / 2;
  std::nth_element(border.begin(), middle, border.end());
  return *middle;
}

cv::Mat part_of_picture(const cv::Mat& grey) {
  cv::Mat difference = cv::abs(grey - border_median(grey)), levels, mask;
  difference.convertTo(levels, CV_8U);
  cv::threshold(levels, mask, 0, 255, cv::THRESH_BINARY | cv::THRESH_OTSU);
  const double share = static_cast<double>(cv::countNonZero(mask)) / static_cast<double>(mask.total());
  if (share < kLeastPart || share > kMostPart) {
    mask = 0;
    cv::ellipse(mask, {(mask.cols - 1) / 2, (mask.rows - 1) / 2}, {mask.cols / 2, mask.rows / 2}, 0, 0, 360,
                cv::Scalar(255), cv::FILLED);
    return mask;
  }
  const int grown = std::max(1, static_cast<int>(std::lround(kGrown * std::max(mask.cols, mask.rows))));
  cv::dilate(mask, mask, cv::getStructuringElement(cv::MORPH_ELLIPSE, {2 * grown + 1, 2 * grown + 1}));
  return mask;
}

RgbImage aligned_view(const RgbImage& photograph, const Pose& pose, int frame_width, int frame_height) {
  const cv::Size size = scaled_size(frame_width, frame_height, std::max(photograph.width, photograph.height));
  const cv::Mat in(photograph.height, photograph.width, CV_8UC3,
                   const_cast<std::uint8_t*>(photograph.pixels.data()));  // NOLINT: OpenCV has no const view
  RgbImage result(size.width, size.height);
  cv::Mat out(size, CV_8UC3, result.pixels.data());
  cv::warpAffine(in, out, photograph_from_view(pose, size, in.size()), size,
                 cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_REPLICATE);
  return result;
}

ScoreMap map_from_view(const ScoreMap& map, const Pose& pose, int frame_width, int frame_height, int width,
                       int height, float outside) {
  const cv::Size size = scaled_size(frame_width, frame_height, std::max(width, height));
  ScoreMap full = resize_bilinear(map, size.width, size.height);
  const cv::Mat in(size, CV_32F, full.values.data());
  ScoreMap result(width, height);
  cv::Mat out(height, width, CV_32F, result.values.data());
  cv::warpAffine(in, out, photograph_from_view(pose, size, {width, height}), out.size(), cv::INTER_LINEAR,
                 cv::BORDER_CONSTANT, cv::Scalar(outside));
  return result;
}

std::vector<bool> cells_in_photograph(const Pose& pose, int frame_width, int frame_height, int columns,
                                      int rows, int width, int height) {
  const cv::Size size = scaled_size(frame_width, frame_height, std::max(width, height));
  const cv::Matx23d m = photograph_from_view(pose, size, {width, height});
  std::vector<bool> out;
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      const cv::Vec3d at((column + 0.5) * size.width / columns - 0.5, (row + 0.5) * size.height / rows - 0.5,
                         1);
      const cv::Vec2d p = m * at;
      out.push_back(p[0] >= -0.5 && p[1] >= -0.5 && p[0] <= width - 0.5 && p[1] <= height - 0.5);
    }
  }
  return out;
}

}  // namespace glint
