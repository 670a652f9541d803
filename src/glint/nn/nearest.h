// Exact nearest rows of a memory bank: the one place that searches neighbours. Not an approximate index:
// every row is compared, by blocked matrix products of oneDNN (bfloat16 with sums in float32 where the bank
// is prepared for it), and the best candidates are measured again in float32. Faster than FAISS's exact and
// inverted-list search on the same rows (bench_neighbours).
#pragma once

#include <torch/types.h>

#include <memory>

#include "glint/nn/tensors.h"

namespace glint {

/// What a search found, per query, nearest first.
struct NearestResult {
  torch::Tensor index;     ///< int64 [queries, k]: rows of the bank
  torch::Tensor distance;  ///< float32 [queries, k]: Euclidean, computed in float32 from the differences
};

/// Immutable after construction; const methods may run from several threads.
class NearestRows {
 public:
  /// rows: float32 [n, d] on the CPU, n >= 1. Kept in float32, and once more in `precision`, less the mean
  /// row (the distances stay and the products lose fewer digits).
  NearestRows(torch::Tensor rows, Precision precision);

  std::int64_t size() const { return rows_.size(0); }
  std::int64_t width() const { return rows_.size(1); }
  const torch::Tensor& rows() const { return rows_; }

  /// queries: float32 [q, d] on the CPU; 1 <= k <= size(). With float32 the k nearest are exact up to
  /// rounding of the products. With bfloat16 a few more candidates than k are measured again: a distance is
  /// as a rule exact (a test states how often), and too large by no more than the rounding of keys and query
  /// to bfloat16 can hide. Does not depend on the number of threads.
  NearestResult search(const torch::Tensor& queries, std::int64_t k = 1) const;

 private:
  struct Keys;
  torch::Tensor rows_, mean_;
  std::shared_ptr<const Keys> keys_;
};

}  // namespace glint
