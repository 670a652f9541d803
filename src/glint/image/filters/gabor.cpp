#include "glint/image/filters/gabor.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr double kDeviationPerWavelength = 0.56, kGaborAspect = 0.5;

int kernel_side(double wavelength) {
  const int side = static_cast<int>(std::ceil(6 * kDeviationPerWavelength * wavelength));
  return side + (side % 2 == 0 ? 1 : 0);
}

cv::Mat kernel_matrix(double wavelength, double angle_degrees, double phase) {
  const int side = kernel_side(wavelength);
  return cv::getGaborKernel({side, side}, kDeviationPerWavelength * wavelength,
                            angle_degrees * std::numbers::pi / 180, wavelength, kGaborAspect, phase, CV_64F);
}

Grid<double> grid_of(const cv::Mat& matrix) {
  Grid<double> out(matrix.cols, matrix.rows);
  for (int y = 0; y < matrix.rows; ++y) std::copy_n(matrix.ptr<double>(y), matrix.cols, &out.at(0, y));
  return out;
}

/// Complex spectrum of a real matrix that is laid top left into zeros.
cv::Mat spectrum_of(const cv::Mat& values, cv::Size size) {
  cv::Mat padded = cv::Mat::zeros(size, CV_32F), out;
  values.convertTo(padded(cv::Rect(0, 0, values.cols, values.rows)), CV_32F);
  cv::dft(padded, out, cv::DFT_COMPLEX_OUTPUT);
  return out;
}

}  // namespace

GaborKernels gabor_kernels(double wavelength, double angle_degrees) {
  GaborKernels out;
  out.even = grid_of(kernel_matrix(wavelength, angle_degrees, 0));
  out.odd = grid_of(kernel_matrix(wavelength, angle_degrees, std::numbers::pi / 2));
  for (std::size_t i = 0; i < out.even.values.size(); ++i)
    out.envelope_sum += std::hypot(out.even.values[i], out.odd.values[i]);
  return out;
}

struct GaborBank::Spectra {
  int border = 0;  ///< mirrored pixels on each side
  cv::Size padded;
  struct Filter {
    cv::Mat spectrum;  ///< what the picture's is multiplied with; the inverse is even + i odd response
    int radius = 0;
  };
  std::vector<Filter> filters;
};

GaborBank::GaborBank(ImageSize size) : size_(size) {
  auto made = std::make_unique<Spectra>();
  made->border =
      kernel_side(*std::max_element(std::begin(kGaborWavelengths), std::end(kGaborWavelengths))) / 2;
  GLINT_CHECK(std::min(size.width, size.height) > made->border);
  made->padded = {cv::getOptimalDFTSize(size.width + 2 * made->border),
                  cv::getOptimalDFTSize(size.height + 2 * made->border)};
  for (const double wavelength : kGaborWavelengths) {
    for (int a = 0; a < kGaborAngles; ++a) {
      const double angle = 180.0 * a / kGaborAngles;
      const cv::Mat even = spectrum_of(kernel_matrix(wavelength, angle, 0), made->padded),
                    odd = spectrum_of(kernel_matrix(wavelength, angle, std::numbers::pi / 2), made->padded);
      // Correlation is a product with the conjugate; conj(even) + i conj(odd) carries both in one inverse.
      cv::Mat both(made->padded, CV_32FC2);
      for (int y = 0; y < both.rows; ++y) {
        const auto *e = even.ptr<cv::Vec2f>(y), *o = odd.ptr<cv::Vec2f>(y);
        auto* to = both.ptr<cv::Vec2f>(y);
        for (int x = 0; x < both.cols; ++x) to[x] = {e[x][0] + o[x][1], -e[x][1] + o[x][0]};
      }
      made->filters.push_back({both, kernel_side(wavelength) / 2});
    }
  }
  spectra_ = std::move(made);
}

GaborBank::~GaborBank() = default;

std::vector<ScoreMap> GaborBank::magnitudes(const GreyImage& image) const {
  GLINT_CHECK((ImageSize{image.width, image.height} == size_));
  const cv::Mat from(image.height, image.width, CV_8U,
                     const_cast<std::uint8_t*>(image.pixels.data()));  // NOLINT: only read
  const int border = spectra_->border;
  cv::Mat bordered;
  cv::copyMakeBorder(from, bordered, border, border, border, border, cv::BORDER_REFLECT_101);
  const cv::Mat spectrum = spectrum_of(bordered, spectra_->padded);
  std::vector<ScoreMap> out;
  cv::Mat product, response;
  for (const Spectra::Filter& filter : spectra_->filters) {
    cv::mulSpectrums(spectrum, filter.spectrum, product, 0);
    cv::dft(product, response, cv::DFT_INVERSE | cv::DFT_SCALE);
    ScoreMap map(image.width, image.height);
    const int first = border - filter.radius;
    for (int y = 0; y < map.height; ++y) {
      const auto* row = response.ptr<cv::Vec2f>(y + first) + first;
      float* to = &map.values[static_cast<std::size_t>(y) * map.width];
      for (int x = 0; x < map.width; ++x) to[x] = std::sqrt(row[x][0] * row[x][0] + row[x][1] * row[x][1]);
    }
    out.push_back(std::move(map));
  }
  return out;
}

}  // namespace glint
