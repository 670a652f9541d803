// The element-wise loops of SimpleNet's training step on raw memory, compiled for several instruction sets
// and chosen at run time. No libtorch here. T is float or Bf16.
#pragma once

#include <cstdint>

namespace glint {

/// bfloat16 storage: the upper half of a float.
struct Bf16 {
  std::uint16_t bits;
};

/// Per-column constants of one step; all arrays have `width` values.
struct HiddenColumns {
  std::int64_t width = 0;
  const float* mean = nullptr;         ///< batch mean
  const float* inverse_std = nullptr;  ///< 1 / batch standard deviation
  const float* scale = nullptr;        ///< norm weight * inverse_std
  const float* offset = nullptr;       ///< norm bias - mean * scale
  const float* tail = nullptr;         ///< tail weight
};

// In all of these, r and e are [rows, width]: pre-activations of the real features and of the noise; the fake
// feature's pre-activation is r + e. Sums are added to the outputs.
template <class T>
void sum_rows(const T* r, const T* e, std::int64_t rows, std::int64_t width, float* sum);
template <class T>
void square_rows(const T* r, const T* e, std::int64_t rows, std::int64_t width, const float* mean,
                 float* sum);
template <class T>
void score_rows(const T* r, const T* e, std::int64_t rows, const HiddenColumns& c, float* real, float* fake);
/// real_grad, fake_grad: d loss / d score per row. Adds the gradients of norm bias, norm weight and tail
/// weight.
template <class T>
void parameter_gradient_rows(const T* r, const T* e, std::int64_t rows, const HiddenColumns& c,
                             const float* real_grad, const float* fake_grad, float* norm_bias,
                             float* norm_weight, float* tail);
/// common = sum of norm-bias gradients / count, spread = sum of norm-weight gradients / count * inverse_std,
/// per column. grad_sum = gradient at r (through both paths), grad_fake = gradient at e.
template <class T>
void input_gradient_rows(const T* r, const T* e, std::int64_t rows, const HiddenColumns& c,
                         const float* real_grad, const float* fake_grad, const float* common,
                         const float* spread, T* grad_sum, T* grad_fake, float* bias);

/// Independent normal values of standard deviation `std`; value i depends only on (seed, first + i).
/// Box-Muller.
template <class T>
void normal_values(std::uint64_t seed, std::int64_t first, std::int64_t count, float std, T* out);

}  // namespace glint
