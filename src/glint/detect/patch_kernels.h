// The loops of patch features on raw memory, compiled for several instruction sets. No libtorch here.
#pragma once

#include <cstdint>

namespace glint {

/// sums[i] = above[i] + here[i] + below[i]; a row that is not there is nullptr and counts as zeros.
void sum_of_rows(const float* above, const float* here, const float* below, std::int64_t values, float* sums);

/// Means over 3x3, divisor 9, from the row's sums [positions, channels]; out: [positions, step] of which the
/// first `channels` are written.
void mean_of_neighbours(const float* sums, std::int64_t positions, std::int64_t channels, std::int64_t step,
                        float* out);

/// out[i] = sum of shares[k] * rows[k][i] over four rows.
void mix_rows(const float* const rows[4], const float shares[4], std::int64_t values, float* out);

}  // namespace glint
