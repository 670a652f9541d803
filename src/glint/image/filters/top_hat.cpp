#include "glint/image/filters/top_hat.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "glint/base/error.h"

namespace glint {
namespace {

GreyImage transformed(const GreyImage& image, int operation, const cv::Mat& element) {
  GreyImage out{image.width, image.height, {}};
  out.pixels.resize(image.pixels.size());
  const cv::Mat from(image.height, image.width, CV_8U,
                     const_cast<std::uint8_t*>(image.pixels.data()));  // NOLINT: only read
  cv::Mat to(out.height, out.width, CV_8U, out.pixels.data());
  // The default border never wins a minimum or a maximum.
  cv::morphologyEx(from, to, operation, element);
  GLINT_CHECK(to.data == out.pixels.data());
  return out;
}

cv::Mat ellipse_matrix(int side) {
  GLINT_CHECK(side >= 1 && side % 2 == 1);
  return cv::getStructuringElement(cv::MORPH_ELLIPSE, {side, side});
}

}  // namespace

Mask elliptical_element(int side) {
  const cv::Mat element = ellipse_matrix(side);
  Mask out(side, side);
  for (int y = 0; y < side; ++y)
    std::copy_n(element.ptr(y), side, &out.pixels[static_cast<std::size_t>(y) * side]);
  return out;
}

GreyImage white_top_hat(const GreyImage& image, int side) {
  return transformed(image, cv::MORPH_TOPHAT, ellipse_matrix(side));
}

GreyImage black_top_hat(const GreyImage& image, int side) {
  return transformed(image, cv::MORPH_BLACKHAT, ellipse_matrix(side));
}

GreyImage open_3x3(const GreyImage& image) {
  return transformed(image, cv::MORPH_OPEN, cv::getStructuringElement(cv::MORPH_RECT, {3, 3}));
}

}  // namespace glint
