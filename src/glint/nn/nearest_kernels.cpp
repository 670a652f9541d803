#include "glint/nn/nearest_kernels.h"

#include "glint/base/bfloat16.h"
#include "glint/base/cpu_clones.h"

namespace glint {
namespace {

constexpr std::int64_t kLanes = 16;  // sums side by side, in a fixed order on every processor

}  // namespace

GLINT_CPU_CLONES float least_of(const float* values) {
  float least[kLanes];
  for (std::int64_t i = 0; i < kLanes; ++i) least[i] = values[i];
  for (std::int64_t i = kLanes; i < kLeastOf; i += kLanes) {
    for (std::int64_t j = 0; j < kLanes; ++j) least[j] = values[i + j] < least[j] ? values[i + j] : least[j];
  }
  for (std::int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::int64_t j = 0; j < half; ++j)
      least[j] = least[j + half] < least[j] ? least[j + half] : least[j];
  }
  return least[0];
}

GLINT_CPU_CLONES float squared_distance(const float* a, const float* b, std::int64_t width) {
  float sums[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    for (std::int64_t j = 0; j < kLanes; ++j) {
      const float difference = a[i + j] - b[i + j];
      sums[j] += difference * difference;
    }
  }
  for (; i < width; ++i) sums[0] += (a[i] - b[i]) * (a[i] - b[i]);
  for (std::int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::int64_t j = 0; j < half; ++j) sums[j] += sums[j + half];
  }
  return sums[0];
}

GLINT_CPU_CLONES void centre_row(const float* row, const float* mean, std::int64_t width, float* out) {
  for (std::int64_t i = 0; i < width; ++i) out[i] = row[i] - mean[i];
}

GLINT_CPU_CLONES void centre_row(const float* row, const float* mean, std::int64_t width,
                                 std::uint16_t* out) {
  for (std::int64_t i = 0; i < width; ++i) out[i] = float_to_bfloat16(row[i] - mean[i]);
}

}  // namespace glint
