// Pictures of the registration, as OpenCV matrices: for registration*.cpp alone.
#pragma once

#include <opencv2/core.hpp>

#include "glint/image/registration.h"

namespace glint {

/// A picture of the shape width : height whose longer side is `longer` pixels.
cv::Size scaled_size(int width, int height, int longer);

/// From pixels of a view to pixels of a photograph of `photograph` pixels, both with their centres at whole
/// numbers.
cv::Matx23d photograph_from_view(const Pose& pose, cv::Size view, cv::Size photograph);

/// The registration_picture, CV_32F, 0 to 255.
cv::Mat reduced_grey(const RgbImage& photograph);

/// Median of the outermost pixels.
float border_median(const cv::Mat& grey);

/// CV_8U, 0 or 255: what stands out from the border's grey, grown by a little of its surroundings; the
/// inscribed ellipse when almost nothing or almost everything stands out.
cv::Mat part_of_picture(const cv::Mat& grey);

}  // namespace glint
