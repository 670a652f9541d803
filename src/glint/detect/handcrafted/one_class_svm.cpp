#include "glint/detect/handcrafted/one_class_svm.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "glint/base/error.h"

namespace glint {
namespace {

double squared_gap(const float* a, const float* b, std::size_t length) {
  double sum = 0;
  for (std::size_t i = 0; i < length; ++i) {
    const double d = static_cast<double>(a[i]) - b[i];
    sum += d * d;
  }
  return sum;
}

std::vector<double> kernel_matrix(std::span<const float> samples, std::size_t n, std::size_t length,
                                  double gamma) {
  std::vector<double> out(n * n, 1.0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      out[i * n + j] = out[j * n + i] =
          std::exp(-gamma * squared_gap(&samples[i * length], &samples[j * length], length));
    }
  }
  return out;
}

}  // namespace

OneClassSvm fit_one_class_svm(std::span<const float> samples, int count, int length, double nu,
                              double gamma) {
  constexpr double kTolerance = 1e-3;
  constexpr std::int64_t kStepsPerSample = 1000;  // never reached where the kernel is positive definite
  GLINT_CHECK(count >= 1 && length >= 1 && nu > 0 && nu <= 1 &&
              samples.size() == static_cast<std::size_t>(count) * static_cast<std::size_t>(length));
  const auto n = static_cast<std::size_t>(count);
  const std::vector<double> kernel = kernel_matrix(samples, n, static_cast<std::size_t>(length), gamma);
  // LIBSVM's scale: weights from 0 to 1 that sum to nu n.
  const double total = nu * count;
  std::vector<double> weight(n), gradient(n);
  double left = total;
  for (double& w : weight) {
    w = std::min(1.0, left);
    left -= w;
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) gradient[i] += kernel[i * n + j] * weight[j];
  }
  double low = 0, high = 0;  // of the gradients of those that can give, and take
  for (std::int64_t step = 0; step < kStepsPerSample * count; ++step) {
    std::size_t taker = n, giver = n;
    for (std::size_t i = 0; i < n; ++i) {
      if (weight[i] < 1 && (taker == n || gradient[i] < gradient[taker])) taker = i;
      if (weight[i] > 0 && (giver == n || gradient[i] > gradient[giver])) giver = i;
    }
    low = taker == n ? -std::numeric_limits<double>::infinity() : gradient[taker];
    high = gradient[giver];
    if (taker == n || high - low < kTolerance) break;
    const double curvature = std::max(1e-12, 2 - 2 * kernel[taker * n + giver]);
    const double moved = std::min({(high - low) / curvature, 1 - weight[taker], weight[giver]});
    // Exactly at a bound, so that rounding leaves nobody almost there.
    weight[taker] = moved == 1 - weight[taker] ? 1 : weight[taker] + moved;
    weight[giver] = moved == weight[giver] ? 0 : weight[giver] - moved;
    for (std::size_t i = 0; i < n; ++i)
      gradient[i] += moved * (kernel[i * n + taker] - kernel[i * n + giver]);
  }
  double sum = 0, free = 0;
  OneClassSvm out;
  for (std::size_t i = 0; i < n; ++i) {
    if (weight[i] <= 0) continue;
    out.support.push_back(static_cast<int>(i));
    out.coefficients.push_back(weight[i] / total);
    if (weight[i] >= 1) continue;
    sum += gradient[i];
    ++free;
  }
  // Free vectors lie on the boundary; without any it lies between those inside and those outside.
  const double edge = free > 0 ? sum / free : std::isfinite(low) ? (low + high) / 2 : high;
  out.offset = std::min(1.0, edge / total);
  return out;
}

double one_class_surprise(std::span<const float> vectors, std::span<const float> coefficients, double offset,
                          double gamma, std::span<const float> x) {
  const std::size_t length = x.size();
  GLINT_CHECK(!coefficients.empty() && vectors.size() == coefficients.size() * length);
  // Sum of exponentials relative to the largest.
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (std::size_t i = 0; i < coefficients.size(); ++i) {
    const double term =
        std::log(coefficients[i]) - gamma * squared_gap(&vectors[i * length], x.data(), length);
    if (term > largest) {
      sum = sum * std::exp(largest - term) + 1;
      largest = term;
    } else {
      sum += std::exp(term - largest);
    }
  }
  return std::log(offset) - largest - std::log(sum);
}

}  // namespace glint
