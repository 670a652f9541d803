// The loops of a neighbour search on raw memory, compiled for several instruction sets. Private to
// nn/nearest.cpp.
#pragma once

#include <cstdint>

namespace glint {

/// Values whose smallest is found without a branch.
inline constexpr std::int64_t kLeastOf = 64;
/// The smallest of kLeastOf values.
float least_of(const float* values);

/// Squared Euclidean distance of two rows of `width` values.
float squared_distance(const float* a, const float* b, std::int64_t width);

/// out = row - mean, in float32 or rounded to bfloat16.
void centre_row(const float* row, const float* mean, std::int64_t width, float* out);
void centre_row(const float* row, const float* mean, std::int64_t width, std::uint16_t* out);

}  // namespace glint
