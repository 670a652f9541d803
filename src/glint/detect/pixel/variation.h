// The variation model: what each pixel is in good parts, how much it varies, and how far a part lies outside
// (after HALCON's train_, prepare_ and compare_variation_model).
#pragma once

#include <cstdint>
#include <vector>

#include "glint/image/grey.h"

namespace glint {

/// In grey levels, of equal size.
struct Variation {
  Grid<double> centre, deviation;
};

/// Mean and standard deviation over pictures that come one after another, exact in whole numbers.
class GreyMoments {
 public:
  void add(const GreyImage& image);  ///< all of one size
  Grid<double> mean() const;
  /// Divisor n - `lost`: 0 the population's, 1 the sample's.
  Grid<double> deviation(int lost = 0) const;

 private:
  std::int64_t images_ = 0;
  Grid<std::int64_t> sums_, squares_;
};

/// Median, and 1.4826 times the median absolute deviation: the standard deviation of normal values. Of an
/// even count the median is the mean of the two middle ones. At least one picture.
Variation robust_variation(const std::vector<GreyImage>& images);

/// |x - centre| / max(absolute / relative, deviation): a pixel is outside HALCON's tolerance
/// max(absolute, relative x deviation) exactly where this exceeds `relative`.
Grid<double> variation_residual(const GreyImage& image, const Variation& model, double absolute,
                                double relative);

}  // namespace glint
