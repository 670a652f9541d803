#include "glint/detect/patch_kernels.h"

#include <initializer_list>

#include "glint/base/cpu_clones.h"

namespace glint {

GLINT_CPU_CLONES void sum_of_rows(const float* above, const float* here, const float* below,
                                  std::int64_t values, float* __restrict sums) {
  for (std::int64_t i = 0; i < values; ++i) sums[i] = here[i];
  for (const float* row : {above, below}) {
    if (row == nullptr) continue;
    for (std::int64_t i = 0; i < values; ++i) sums[i] += row[i];
  }
}

GLINT_CPU_CLONES void mean_of_neighbours(const float* sums, std::int64_t positions, std::int64_t channels,
                                         std::int64_t step, float* __restrict out) {
  constexpr float kNinth = 1.0F / 9;
  for (std::int64_t x = 0; x < positions; ++x, out += step) {
    const float* here = sums + x * channels;
    for (std::int64_t c = 0; c < channels; ++c) out[c] = here[c];
    if (x > 0) {
      for (std::int64_t c = 0; c < channels; ++c) out[c] += here[c - channels];
    }
    if (x + 1 < positions) {
      for (std::int64_t c = 0; c < channels; ++c) out[c] += here[c + channels];
    }
    for (std::int64_t c = 0; c < channels; ++c) out[c] *= kNinth;
  }
}

GLINT_CPU_CLONES void mix_rows(const float* const rows[4], const float shares[4], std::int64_t values,
                               float* __restrict out) {
  const float *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
  const float wa = shares[0], wb = shares[1], wc = shares[2], wd = shares[3];
  for (std::int64_t i = 0; i < values; ++i) out[i] = wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i];
}

}  // namespace glint
