// The loops of judging with a folded head on raw memory, compiled for several instruction sets. No libtorch
// here.
#pragma once

#include <cstdint>

namespace glint {

/// One layer's pooled columns as sums over a neighbourhood: column r of a position is the sum over t of
/// weights[t * columns + r] * position[offsets[t * columns + r]].
struct PoolingTable {
  std::int64_t columns = 0, terms = 0;
  const std::int32_t* offsets = nullptr;  ///< elements from the neighbourhood's upper left corner
  const float* weights = nullptr;
};

/// Positions of one row of the grid; `first` is the first one's upper left corner, `step` the distance to the
/// next one's. out: [positions, columns] float32, or bfloat16.
void pool_positions(const float* first, std::int64_t step, std::int64_t positions, const PoolingTable& table,
                    float* out);
void pool_positions(const float* first, std::int64_t step, std::int64_t positions, const PoolingTable& table,
                    std::uint16_t* out);

/// A position on the fine grid between four of the coarse one: rows of hidden units, and their shares.
struct CoarseCorners {
  const float* rows[4];
  float shares[4];
};

/// sum over units u of tail[u] * leaky(fine[u] + the corners' interpolated [u]).
float tail_score(const float* fine, const CoarseCorners& corners, const float* tail, std::int64_t units);

}  // namespace glint
