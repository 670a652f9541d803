// The one-class support vector machine (Schölkopf et al. 2001, Neural Computation 13(7)) with a Gaussian
// kernel exp(-gamma |x - y|^2), solved by sequential minimal optimisation. Free of libtorch and OpenCV.
#pragma once

#include <span>
#include <vector>

namespace glint {

/// The region of good samples: sum of coefficient x kernel(vector, x) >= offset.
struct OneClassSvm {
  std::vector<int> support;          ///< which samples
  std::vector<double> coefficients;  ///< above 0, sum 1
  double offset = 0;                 ///< in (0, 1]
};

/// samples [n, length] row by row, n >= 1. `nu` in (0, 1]: at most this share of them lies outside, at least
/// this share supports. Until the largest violation is below 1e-3 of the mean weight times n (LIBSVM's 1e-3).
OneClassSvm fit_one_class_svm(std::span<const float> samples, int n, int length, double nu, double gamma);

/// ln offset - ln sum coefficient x kernel(vector, x): above 0 outside. The logarithm keeps far points apart,
/// where the sum itself vanishes. `vectors` [coefficients, length].
double one_class_surprise(std::span<const float> vectors, std::span<const float> coefficients, double offset,
                          double gamma, std::span<const float> x);

}  // namespace glint
