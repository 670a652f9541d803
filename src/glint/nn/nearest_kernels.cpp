#include "glint/nn/nearest_kernels.h"

#include <algorithm>

#include "glint/base/cpu_clones.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace glint {
namespace {

constexpr std::int64_t kLanes = 16;  // sums side by side, in a fixed order on every processor
constexpr int kRows = 64, kValues = 64;

constexpr std::int64_t kBoxStep = 8;  // dimensions between two looks at the limit

#ifdef __x86_64__

__attribute__((target("avx512f"))) void box_distances_avx512(const float* point, const float* boxes,
                                                             std::int64_t groups, float limit, float* out) {
  const __m512 most = _mm512_set1_ps(limit), zero = _mm512_setzero_ps();
  for (std::int64_t g = 0; g < groups; ++g, boxes += 2 * kBoxDims * kBoxGroup, out += kBoxGroup) {
    __m512 sums = zero;
    for (std::int64_t i = 0; i < kBoxDims; i += kBoxStep) {
#pragma GCC unroll 8
      for (std::int64_t j = i; j < i + kBoxStep; ++j) {
        const __m512 own = _mm512_set1_ps(point[j]);
        const __m512 below = _mm512_sub_ps(_mm512_loadu_ps(boxes + 2 * j * kBoxGroup), own);
        const __m512 above = _mm512_sub_ps(own, _mm512_loadu_ps(boxes + (2 * j + 1) * kBoxGroup));
        const __m512 outside = _mm512_maskz_max_ps(0xffff, _mm512_maskz_max_ps(0xffff, below, above), zero);
        sums = _mm512_fmadd_ps(outside, outside, sums);
      }
      if (_mm512_cmp_ps_mask(sums, most, _CMP_LE_OQ) == 0) break;
    }
    _mm512_storeu_ps(out, sums);
  }
}

__attribute__((target("avx512f,avx512bw,avx512vnni"))) std::uint64_t head_products_vnni(
    const std::uint8_t* point, const std::int8_t* rows, const std::int32_t* offsets, std::int32_t* out,
    std::int32_t threshold) {
  __m512i sums[4];
  for (int r = 0; r < 4; ++r) sums[r] = _mm512_loadu_si512(offsets + 16 * r);
#pragma GCC unroll 16
  for (int i = 0; i < kValues / 4; ++i) {
    std::int32_t four;
    __builtin_memcpy(&four, point + 4 * i, sizeof(four));
    const __m512i values = _mm512_set1_epi32(four);
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r)
      sums[r] = _mm512_dpbusd_epi32(sums[r], values, _mm512_loadu_si512(rows + (i * 4 + r) * 64));
  }
  std::uint64_t mask = 0;
  const __m512i least = _mm512_set1_epi32(threshold);
  for (int r = 0; r < 4; ++r) {
    mask |= static_cast<std::uint64_t>(_mm512_cmpge_epi32_mask(sums[r], least)) << (16 * r);
    _mm512_storeu_si512(out + 16 * r, sums[r]);
  }
  return mask;
}

__attribute__((target("avx512f,avx512vl,avx512vnni"))) std::int32_t tail_product_vnni(
    const std::uint8_t* point, const std::int8_t* row) {
  __m256i sums =
      _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(point)),
                          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row)));
  sums = _mm256_dpbusd_epi32(sums, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(point + 32)),
                             _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + 32)));
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0b01'00'11'10));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0b10'11'00'01));
  return _mm_cvtsi128_si32(sum);
}

__attribute__((target("avx2,fma"))) void box_distances_avx2(const float* point, const float* boxes,
                                                            std::int64_t groups, float limit, float* out) {
  const __m256 most = _mm256_set1_ps(limit), zero = _mm256_setzero_ps();
  for (std::int64_t g = 0; g < groups; ++g, boxes += 2 * kBoxDims * kBoxGroup, out += kBoxGroup) {
    __m256 sums[2] = {zero, zero};
    for (std::int64_t i = 0; i < kBoxDims; i += kBoxStep) {
#pragma GCC unroll 8
      for (std::int64_t j = i; j < i + kBoxStep; ++j) {
        const __m256 own = _mm256_set1_ps(point[j]);
        for (int half = 0; half < 2; ++half) {
          const float* low = boxes + 2 * j * kBoxGroup + 8 * half;
          const __m256 below = _mm256_sub_ps(_mm256_loadu_ps(low), own);
          const __m256 above = _mm256_sub_ps(own, _mm256_loadu_ps(low + kBoxGroup));
          const __m256 outside = _mm256_max_ps(_mm256_max_ps(below, above), zero);
          sums[half] = _mm256_fmadd_ps(outside, outside, sums[half]);
        }
      }
      const __m256 least = _mm256_min_ps(sums[0], sums[1]);
      if (_mm256_movemask_ps(_mm256_cmp_ps(least, most, _CMP_LE_OQ)) == 0) break;
    }
    _mm256_storeu_ps(out, sums[0]);
    _mm256_storeu_ps(out + 8, sums[1]);
  }
}

/// 4 rows of 4 values, or 16 values of one row, times as many.
__attribute__((target("avx2"))) inline __m256i pairs_avx2(__m256i point, const std::int8_t* rows) {
  return _mm256_madd_epi16(point,
                           _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(rows))));
}

__attribute__((target("avx2"))) std::uint64_t head_products_avx2(const std::uint8_t* point,
                                                                 const std::int8_t* rows,
                                                                 const std::int32_t* offsets,
                                                                 std::int32_t* out, std::int32_t threshold) {
  std::uint64_t mask = 0;
  for (int block = 0; block < kRows; block += 32) {
    __m256i sums[8];  // of 4 rows each, two halves of a row side by side
    for (auto& sum : sums) sum = _mm256_setzero_si256();
    for (int i = 0; i < kValues / 4; ++i) {
      std::int32_t four;
      __builtin_memcpy(&four, point + 4 * i, sizeof(four));
      const __m256i values = _mm256_cvtepu8_epi16(_mm_set1_epi32(four));
#pragma GCC unroll 8
      for (int r = 0; r < 8; ++r)
        sums[r] = _mm256_add_epi32(sums[r], pairs_avx2(values, rows + (i * kRows + block + 4 * r) * 4));
    }
    for (int r = 0; r < 8; r += 2) {
      const __m256i joined = _mm256_permute4x64_epi64(_mm256_hadd_epi32(sums[r], sums[r + 1]), 0b11'01'10'00);
      const int at = block + 4 * r;
      _mm256_storeu_si256(
          reinterpret_cast<__m256i*>(out + at),
          _mm256_add_epi32(joined, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(offsets + at))));
    }
  }
  for (int r = 0; r < kRows; ++r) mask |= static_cast<std::uint64_t>(out[r] >= threshold) << r;
  return mask;
}

__attribute__((target("avx2"))) std::int32_t tail_product_avx2(const std::uint8_t* point,
                                                               const std::int8_t* row) {
  __m256i sum = _mm256_setzero_si256();
  for (int i = 0; i < kValues; i += 16) {
    const __m256i values = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(point + i)));
    sum = _mm256_add_epi32(sum, pairs_avx2(values, row + i));
  }
  alignas(32) std::int32_t lanes[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), sum);
  std::int32_t out = 0;
  for (const std::int32_t lane : lanes) out += lane;
  return out;
}

#endif

void box_distances_plain(const float* point, const float* boxes, std::int64_t groups, float limit,
                         float* out) {
  for (std::int64_t g = 0; g < groups; ++g, boxes += 2 * kBoxDims * kBoxGroup, out += kBoxGroup) {
    std::fill_n(out, kBoxGroup, 0.0F);
    for (std::int64_t i = 0; i < kBoxDims; i += kBoxStep) {
      for (std::int64_t j = i; j < i + kBoxStep; ++j) {
        const float *low = boxes + 2 * j * kBoxGroup, *high = low + kBoxGroup;
        for (std::int64_t box = 0; box < kBoxGroup; ++box) {
          const float outside = std::max(std::max(low[box] - point[j], point[j] - high[box]), 0.0F);
          out[box] += outside * outside;
        }
      }
      if (!(*std::min_element(out, out + kBoxGroup) <= limit)) break;
    }
  }
}

std::uint64_t head_products_plain(const std::uint8_t* point, const std::int8_t* rows,
                                  const std::int32_t* offsets, std::int32_t* out, std::int32_t threshold) {
  std::uint64_t mask = 0;
  for (int r = 0; r < kRows; ++r) {
    out[r] = offsets[r];
    for (int i = 0; i < kValues; ++i) out[r] += point[i] * rows[(i / 4 * kRows + r) * 4 + i % 4];
    mask |= static_cast<std::uint64_t>(out[r] >= threshold) << r;
  }
  return mask;
}

std::int32_t tail_product_plain(const std::uint8_t* point, const std::int8_t* row) {
  std::int32_t out = 0;
  for (int i = 0; i < kValues; ++i) out += point[i] * row[i];
  return out;
}

}  // namespace

std::vector<ProductKernels> product_kernels() {
  std::vector<ProductKernels> out = {{"plain", box_distances_plain, head_products_plain, tail_product_plain}};
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    out.push_back({"AVX2", box_distances_avx2, head_products_avx2, tail_product_avx2});
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vnni"))
    out.push_back({"AVX-512 VNNI", box_distances_avx512, head_products_vnni, tail_product_vnni});
#endif
  return out;
}

namespace {

/// The functions that suit this processor; all give the same numbers.
const ProductKernels& chosen() {
  static const ProductKernels kernels = product_kernels().back();
  return kernels;
}

}  // namespace

std::uint64_t head_products(const std::uint8_t* point, const std::int8_t* rows, const std::int32_t* offsets,
                            std::int32_t* out, std::int32_t threshold) {
  return chosen().head(point, rows, offsets, out, threshold);
}

void box_distances(const float* point, const float* boxes, std::int64_t groups, float limit, float* out) {
  chosen().boxes(point, boxes, groups, limit, out);
}

std::int32_t tail_product(const std::uint8_t* point, const std::int8_t* row) {
  return chosen().tail(point, row);
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

GLINT_CPU_CLONES float centre_row(const float* row, const float* mean, std::int64_t width, float* out) {
  float sums[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    for (std::int64_t j = 0; j < kLanes; ++j) {
      out[i + j] = row[i + j] - mean[i + j];
      sums[j] += out[i + j] * out[i + j];
    }
  }
  for (; i < width; ++i) {
    out[i] = row[i] - mean[i];
    sums[0] += out[i] * out[i];
  }
  float sum = 0;
  for (const float lane : sums) sum += lane;
  return sum;
}

}  // namespace glint
