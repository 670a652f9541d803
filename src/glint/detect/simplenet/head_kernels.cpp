#include "glint/detect/simplenet/head_kernels.h"

#include <bit>
#include <cmath>

#include "glint/base/bfloat16.h"
#include "glint/base/cpu_clones.h"

#define GLINT_INLINE inline __attribute__((always_inline))

namespace glint {
namespace {

constexpr float kSlope = 0.2F;  // leaky ReLU of the published code

GLINT_INLINE float load(float v) {
  return v;
}
GLINT_INLINE float load(Bf16 v) {
  return bfloat16_to_float(v.bits);
}
GLINT_INLINE void store(float& out, float v) {
  out = v;
}
GLINT_INLINE void store(Bf16& out, float v) {  // the values here are never NaN
  out.bits = float_to_bfloat16(v);
}

template <class T>
GLINT_INLINE void sum_body(const T* r, const T* e, std::int64_t rows, std::int64_t width,
                           float* __restrict sum) {
  for (std::int64_t i = 0; i < rows; ++i, r += width, e += width) {
    for (std::int64_t j = 0; j < width; ++j) sum[j] += 2 * load(r[j]) + load(e[j]);
  }
}

template <class T>
GLINT_INLINE void square_body(const T* r, const T* e, std::int64_t rows, std::int64_t width,
                              const float* mean, float* __restrict sum) {
  for (std::int64_t i = 0; i < rows; ++i, r += width, e += width) {
    for (std::int64_t j = 0; j < width; ++j) {
      const float a = load(r[j]) - mean[j], b = a + load(e[j]);
      sum[j] += a * a + b * b;
    }
  }
}

template <class T>
GLINT_INLINE void score_body(const T* r, const T* e, std::int64_t rows, const HiddenColumns& c, float* real,
                             float* fake) {
  const float *scale = c.scale, *offset = c.offset, *tail = c.tail;
  for (std::int64_t i = 0; i < rows; ++i, r += c.width, e += c.width) {
    float a = 0, b = 0;
    for (std::int64_t j = 0; j < c.width; ++j) {
      const float yr = load(r[j]) * scale[j] + offset[j];
      const float yf = yr + load(e[j]) * scale[j];
      a += tail[j] * (yr > 0 ? yr : kSlope * yr);
      b += tail[j] * (yf > 0 ? yf : kSlope * yf);
    }
    real[i] = a;
    fake[i] = b;
  }
}

template <class T>
GLINT_INLINE void parameter_body(const T* r, const T* e, std::int64_t rows, const HiddenColumns& c,
                                 const float* real_grad, const float* fake_grad, float* __restrict norm_bias,
                                 float* __restrict norm_weight, float* __restrict tail_grad) {
  const float *scale = c.scale, *offset = c.offset, *tail = c.tail, *mean = c.mean,
              *inverse_std = c.inverse_std;
  for (std::int64_t i = 0; i < rows; ++i, r += c.width, e += c.width) {
    const float dr = real_grad[i], df = fake_grad[i];
    if (dr == 0 && df == 0) continue;  // both past their margin
    for (std::int64_t j = 0; j < c.width; ++j) {
      const float hr = load(r[j]), hf = hr + load(e[j]);
      const float yr = hr * scale[j] + offset[j], yf = hf * scale[j] + offset[j];
      const float gr = dr * tail[j] * (yr > 0 ? 1.0F : kSlope), gf = df * tail[j] * (yf > 0 ? 1.0F : kSlope);
      norm_bias[j] += gr + gf;
      norm_weight[j] += (gr * (hr - mean[j]) + gf * (hf - mean[j])) * inverse_std[j];
      tail_grad[j] += dr * (yr > 0 ? yr : kSlope * yr) + df * (yf > 0 ? yf : kSlope * yf);
    }
  }
}

template <class T>
GLINT_INLINE void input_body(const T* r, const T* e, std::int64_t rows, const HiddenColumns& c,
                             const float* real_grad, const float* fake_grad, const float* common,
                             const float* spread, T* __restrict grad_sum, T* __restrict grad_fake,
                             float* __restrict bias) {
  const float *scale = c.scale, *offset = c.offset, *tail = c.tail, *mean = c.mean;
  for (std::int64_t i = 0; i < rows; ++i) {
    const T *ri = r + i * c.width, *ei = e + i * c.width;
    T *gs = grad_sum + i * c.width, *gf = grad_fake + i * c.width;
    const float dr = real_grad[i], df = fake_grad[i];
    for (std::int64_t j = 0; j < c.width; ++j) {
      const float hr = load(ri[j]), hf = hr + load(ei[j]);
      const float yr = hr * scale[j] + offset[j], yf = hf * scale[j] + offset[j];
      const float real_part =
          dr * tail[j] * (yr > 0 ? 1.0F : kSlope) - common[j] - (hr - mean[j]) * spread[j];
      const float fake_part =
          df * tail[j] * (yf > 0 ? 1.0F : kSlope) - common[j] - (hf - mean[j]) * spread[j];
      const float fake = scale[j] * fake_part, both = scale[j] * real_part + fake;
      bias[j] += both;
      store(gs[j], both);
      store(gf[j], fake);
    }
  }
}

/// Two rounds of a 32-bit mix (lowbias32 by Chris Wellons): good enough bits for noise, and it vectorises.
GLINT_INLINE std::uint32_t mix32(std::uint32_t x) {
  x ^= x >> 16;
  x *= 0x21f0aaadU;
  x ^= x >> 15;
  x *= 0x735a2d97U;
  return x ^ (x >> 15);
}

/// Natural logarithm for positive normal floats, relative error below 1e-6 (Cephes' polynomial), without
/// branches.
GLINT_INLINE float fast_log(float v) {
  const auto bits = std::bit_cast<std::uint32_t>(v);
  // mantissa in [sqrt(1/2), sqrt(2))
  const auto shifted = static_cast<std::int32_t>(bits) - 0x3f3504f3;
  const auto exponent = static_cast<float>(shifted >> 23);
  const float x = std::bit_cast<float>((shifted & 0x007fffff) + 0x3f3504f3) - 1.0F;
  const float z = x * x;
  float p = 7.0376836292e-2F;
  p = p * x - 1.1514610310e-1F;
  p = p * x + 1.1676998740e-1F;
  p = p * x - 1.2420140846e-1F;
  p = p * x + 1.4249322787e-1F;
  p = p * x - 1.6668057665e-1F;
  p = p * x + 2.0000714765e-1F;
  p = p * x - 2.4999993993e-1F;
  p = p * x + 3.3333331174e-1F;
  return x + (p * x * z - 0.5F * z) + 0.69314718056F * exponent;
}

/// sin and cos of 2 pi * turn for turn in [0, 1), Cephes' polynomials on an eighth of a turn.
GLINT_INLINE void fast_sincos(float turn, float& sine, float& cosine) {
  const auto quarter = static_cast<std::int32_t>(4.0F * turn + 0.5F);
  const float x = 6.28318530717958647692F * (turn - 0.25F * static_cast<float>(quarter));
  const float z = x * x;
  const float s = ((-1.9515295891e-4F * z + 8.3321608736e-3F) * z - 1.6666654611e-1F) * z * x + x;
  const float c = ((2.443315711809948e-5F * z - 1.388731625493765e-3F) * z + 4.166664568298827e-2F) * z * z -
                  0.5F * z + 1.0F;
  const bool swap = (quarter & 1) != 0;
  const float a = swap ? c : s, b = swap ? s : c;
  sine = (quarter & 2) != 0 ? -a : a;
  cosine = ((quarter + 1) & 2) != 0 ? -b : b;
}

template <class T>
GLINT_INLINE void normal_body(std::uint64_t seed, std::int64_t first, std::int64_t count, float std, T* out) {
  const auto low = static_cast<std::uint32_t>(seed), high = static_cast<std::uint32_t>(seed >> 32);
  const std::int64_t pairs = (count + 1) / 2;
  constexpr std::int64_t kBlock = 256;
  for (std::int64_t base = 0; base < pairs; base += kBlock) {
    const std::int64_t n = pairs - base < kBlock ? pairs - base : kBlock;
    float a[kBlock], b[kBlock];
    for (std::int64_t k = 0; k < n; ++k) {
      const auto index = static_cast<std::uint32_t>(first / 2 + base + k);
      const std::uint32_t u = mix32(mix32(index ^ low) + high),
                          v = mix32(u ^ mix32(index + 0x9e3779b9U + low));
      const float uniform = (static_cast<float>(u >> 8) + 0.5F) * 0x1p-24F;
      const float radius = std * std::sqrt(-2.0F * fast_log(uniform));
      float sine = 0, cosine = 0;
      fast_sincos(static_cast<float>(v >> 8) * 0x1p-24F, sine, cosine);
      a[k] = radius * cosine;
      b[k] = radius * sine;
    }
    for (std::int64_t k = 0; k < n; ++k) {
      const std::int64_t i = 2 * (base + k);
      store(out[i], a[k]);
      if (i + 1 < count) store(out[i + 1], b[k]);
    }
  }
}

}  // namespace

#define GLINT_KERNELS(T)                                                                                     \
  template <>                                                                                                \
  GLINT_CPU_CLONES void sum_rows(const T* r, const T* e, std::int64_t rows, std::int64_t width,              \
                                 float* sum) {                                                               \
    sum_body(r, e, rows, width, sum);                                                                        \
  }                                                                                                          \
  template <>                                                                                                \
  GLINT_CPU_CLONES void square_rows(const T* r, const T* e, std::int64_t rows, std::int64_t width,           \
                                    const float* mean, float* sum) {                                         \
    square_body(r, e, rows, width, mean, sum);                                                               \
  }                                                                                                          \
  template <>                                                                                                \
  GLINT_CPU_CLONES void score_rows(const T* r, const T* e, std::int64_t rows, const HiddenColumns& c,        \
                                   float* real, float* fake) {                                               \
    score_body(r, e, rows, c, real, fake);                                                                   \
  }                                                                                                          \
  template <>                                                                                                \
  GLINT_CPU_CLONES void parameter_gradient_rows(                                                             \
      const T* r, const T* e, std::int64_t rows, const HiddenColumns& c, const float* real_grad,             \
      const float* fake_grad, float* norm_bias, float* norm_weight, float* tail) {                           \
    parameter_body(r, e, rows, c, real_grad, fake_grad, norm_bias, norm_weight, tail);                       \
  }                                                                                                          \
  template <>                                                                                                \
  GLINT_CPU_CLONES void input_gradient_rows(const T* r, const T* e, std::int64_t rows,                       \
                                            const HiddenColumns& c, const float* real_grad,                  \
                                            const float* fake_grad, const float* common,                     \
                                            const float* spread, T* grad_sum, T* grad_fake, float* bias) {   \
    input_body(r, e, rows, c, real_grad, fake_grad, common, spread, grad_sum, grad_fake, bias);              \
  }                                                                                                          \
  template <>                                                                                                \
  GLINT_CPU_CLONES void normal_values(std::uint64_t seed, std::int64_t first, std::int64_t count, float std, \
                                      T* out) {                                                              \
    normal_body(seed, first, count, std, out);                                                               \
  }

GLINT_KERNELS(float)
GLINT_KERNELS(Bf16)

}  // namespace glint
