#include "glint/detect/simplenet/folded_kernels.h"

#include "glint/base/bfloat16.h"
#include "glint/base/cpu_clones.h"

#define GLINT_INLINE inline __attribute__((always_inline))

namespace glint {
namespace {

constexpr float kFoldedSlope = 0.2F;  // leaky ReLU of the published code
constexpr std::int64_t kColumnsAtOnce = 16;

GLINT_INLINE void put(float& out, float v) {
  out = v;
}
GLINT_INLINE void put(std::uint16_t& out, float v) {
  out = float_to_bfloat16(v);
}

template <class T>
GLINT_INLINE void pool_body(const float* first, std::int64_t step, std::int64_t positions,
                            const PoolingTable& table, T* out) {
  for (std::int64_t p = 0; p < positions; ++p, first += step, out += table.columns) {
    std::int64_t c = 0;
    for (; c + kColumnsAtOnce <= table.columns; c += kColumnsAtOnce) {
      float sums[kColumnsAtOnce] = {};
      for (std::int64_t t = 0; t < table.terms; ++t) {
        const std::int32_t* offsets = table.offsets + t * table.columns + c;
        const float* weights = table.weights + t * table.columns + c;
        for (std::int64_t i = 0; i < kColumnsAtOnce; ++i) sums[i] += weights[i] * first[offsets[i]];
      }
      for (std::int64_t i = 0; i < kColumnsAtOnce; ++i) put(out[c + i], sums[i]);
    }
    for (; c < table.columns; ++c) {
      float sum = 0;
      for (std::int64_t t = 0; t < table.terms; ++t)
        sum += table.weights[t * table.columns + c] * first[table.offsets[t * table.columns + c]];
      put(out[c], sum);
    }
  }
}

}  // namespace

GLINT_CPU_CLONES void pool_positions(const float* first, std::int64_t step, std::int64_t positions,
                                     const PoolingTable& table, float* out) {
  pool_body(first, step, positions, table, out);
}

GLINT_CPU_CLONES void pool_positions(const float* first, std::int64_t step, std::int64_t positions,
                                     const PoolingTable& table, std::uint16_t* out) {
  pool_body(first, step, positions, table, out);
}

GLINT_CPU_CLONES float tail_score(const float* fine, const CoarseCorners& corners, const float* tail,
                                  std::int64_t units) {
  const float *a = corners.rows[0], *b = corners.rows[1], *c = corners.rows[2], *d = corners.rows[3];
  const float wa = corners.shares[0], wb = corners.shares[1], wc = corners.shares[2], wd = corners.shares[3];
  float sum = 0;
  for (std::int64_t u = 0; u < units; ++u) {
    const float y = fine[u] + (wa * a[u] + wb * b[u] + wc * c[u] + wd * d[u]);
    sum += tail[u] * (y > 0 ? y : kFoldedSlope * y);
  }
  return sum;
}

}  // namespace glint
