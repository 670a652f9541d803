// The loop of a Mahalanobis distance on raw memory, compiled for several instruction sets. No libtorch here.
#pragma once

#include <cstdint>

namespace glint {

/// Squared length of T x, T lower triangular [d, d], its rows' d (d + 1) / 2 values after one another.
float squared_triangle_product(const float* triangle, const float* x, std::int64_t d);
double squared_triangle_product(const double* triangle, const double* x, std::int64_t d);

}  // namespace glint
