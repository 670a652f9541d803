#include "glint/detect/pixel/variation.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr double kDeviationPerMad = 1.4826;

double middle_value(std::vector<double>& values) {
  const std::size_t n = values.size();
  const auto upper = values.begin() + static_cast<std::ptrdiff_t>(n / 2);
  std::nth_element(values.begin(), upper, values.end());
  return n % 2 == 1 ? *upper : (*upper + *std::max_element(values.begin(), upper)) / 2;
}

}  // namespace

void GreyMoments::add(const GreyImage& image) {
  if (images_++ == 0) {
    sums_ = Grid<std::int64_t>(image.width, image.height);
    squares_ = sums_;
  }
  GLINT_CHECK(image.width == sums_.width && image.height == sums_.height);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    const std::int64_t v = image.pixels[i];
    sums_.values[i] += v;
    squares_.values[i] += v * v;
  }
}

Grid<double> GreyMoments::mean() const {
  GLINT_CHECK(images_ >= 1);
  Grid<double> out(sums_.width, sums_.height);
  for (std::size_t i = 0; i < out.values.size(); ++i)
    out.values[i] = static_cast<double>(sums_.values[i]) / static_cast<double>(images_);
  return out;
}

Grid<double> GreyMoments::deviation(int lost) const {
  GLINT_CHECK(images_ > lost);
  Grid<double> out(sums_.width, sums_.height);
  const double n = static_cast<double>(images_);
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    const auto spread = static_cast<double>(images_ * squares_.values[i] - sums_.values[i] * sums_.values[i]);
    out.values[i] = std::sqrt(spread / (n * (n - lost)));
  }
  return out;
}

Variation robust_variation(const std::vector<GreyImage>& images) {
  GLINT_CHECK(!images.empty());
  Variation out{Grid<double>(images[0].width, images[0].height), {}};
  out.deviation = out.centre;
  std::vector<double> values(images.size());
  for (std::size_t i = 0; i < out.centre.values.size(); ++i) {
    for (std::size_t k = 0; k < images.size(); ++k) values[k] = images[k].pixels[i];
    const double centre = middle_value(values);
    for (double& v : values) v = std::abs(v - centre);
    out.centre.values[i] = centre;
    out.deviation.values[i] = kDeviationPerMad * middle_value(values);
  }
  return out;
}

Grid<double> variation_residual(const GreyImage& image, const Variation& model, double absolute,
                                double relative) {
  GLINT_CHECK(image.width == model.centre.width && image.height == model.centre.height && relative > 0);
  Grid<double> out(image.width, image.height);
  const double least = absolute / relative;
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    out.values[i] =
        std::abs(image.pixels[i] - model.centre.values[i]) / std::max(least, model.deviation.values[i]);
  }
  return out;
}

}  // namespace glint
