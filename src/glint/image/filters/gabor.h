// Gabor filters: how strongly a picture swings with a wavelength along a direction, at every pixel.
#pragma once

#include <iterator>
#include <memory>
#include <vector>

#include "glint/image/grey.h"

namespace glint {

/// Wavelengths in pixels, and directions in steps of 180 / kGaborAngles degrees.
inline constexpr double kGaborWavelengths[] = {4, 8, 16};
inline constexpr int kGaborAngles = 6;
inline constexpr int kGaborMaps = static_cast<int>(std::size(kGaborWavelengths)) * kGaborAngles;

struct GaborKernels {
  Grid<double> even, odd;   ///< phase 0 and 90 degrees; odd side of at least six deviations
  double envelope_sum = 0;  ///< of the Gaussian, as far as the kernel reaches: makes responses grey levels
};

/// Deviation 0.56 wavelengths (one octave of bandwidth) along the wave, twice as much across it.
GaborKernels gabor_kernels(double wavelength, double angle_degrees);

/// The kGaborMaps filters, ready for pictures of one size. Immutable; may be used from several threads.
class GaborBank {
 public:
  /// Sides of at least 28 pixels: the longest kernel's radius is mirrored (edge pixel not repeated).
  explicit GaborBank(ImageSize size);
  ~GaborBank();

  /// Length of (even, odd) response of every pixel, [w, h] each: wavelengths outermost, then angles. Not
  /// normalised. Through the Fourier transform, in single precision.
  std::vector<ScoreMap> magnitudes(const GreyImage& image) const;
  ImageSize size() const { return size_; }

 private:
  struct Spectra;
  ImageSize size_;
  std::unique_ptr<const Spectra> spectra_;
};

}  // namespace glint
