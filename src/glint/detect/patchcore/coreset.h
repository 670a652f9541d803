// Which patches a memory bank keeps: greedy selection of the patch that is farthest from all kept ones
// (k-center greedy; PatchCore, Roth et al., CVPR 2022, algorithm 1).
//
// The plain procedure measures all patches once per pick. This one gives the same picks, bit for bit: a patch
// is measured only where bounds (nn/row_leaves.h) leave it possible that the pick is nearer to it than all
// kept ones.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace glint {

/// How the selection starts.
enum class CoresetStart {
  kApproximate,  ///< published: every patch starts with its mean distance to the start points, which are kept
                 ///< only when they are picked
  kKCenter,      ///< the first start point is the first pick
};

struct Coreset {
  std::vector<std::int64_t> index;  ///< rows in order of choice
  std::vector<double> radius;       ///< after each pick: the largest distance of any row to the kept ones
};

/// rows: float32 [n, d] on the CPU, usually projected. Picks `count` rows (at most n). Deterministic; ties go
/// to the lower row. `on_progress(picked)` may throw to stop.
Coreset greedy_coreset(const torch::Tensor& rows, std::int64_t count, CoresetStart start,
                       const std::vector<std::int64_t>& start_points,
                       const std::function<void(std::int64_t)>& on_progress = {});

/// The same by the plain procedure, for tests.
Coreset greedy_coreset_literal(const torch::Tensor& rows, std::int64_t count, CoresetStart start,
                               const std::vector<std::int64_t>& start_points);

/// Random projection [d_out, d_in] as an untrained linear layer without bias has it (published code): uniform
/// within 1 / sqrt(d_in), from the seed.
torch::Tensor random_projection(std::int64_t d_in, std::int64_t d_out, std::uint64_t seed);

}  // namespace glint
