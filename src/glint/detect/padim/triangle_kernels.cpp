#include "glint/detect/padim/triangle_kernels.h"

#include "glint/base/cpu_clones.h"

namespace glint {
namespace {

template <class T>
inline __attribute__((always_inline)) T squared_product(const T* triangle, const T* x, std::int64_t d) {
  T squares = 0;
  for (std::int64_t row = 0; row < d; triangle += ++row) {
    T sum = 0;
    for (std::int64_t i = 0; i <= row; ++i) sum += triangle[i] * x[i];
    squares += sum * sum;
  }
  return squares;
}

}  // namespace

GLINT_CPU_CLONES float squared_triangle_product(const float* triangle, const float* x, std::int64_t d) {
  return squared_product(triangle, x, d);
}

GLINT_CPU_CLONES double squared_triangle_product(const double* triangle, const double* x, std::int64_t d) {
  return squared_product(triangle, x, d);
}

}  // namespace glint
