// Exact nearest rows of a memory bank: the one place that searches neighbours. Not an approximate index:
// bounds that are never too large rule out nearly all rows (row_leaves.h), the others are measured in
// float32. What is found is that of measuring every row, bit for bit; only the time depends on the rows.
#pragma once

#include <torch/types.h>

#include <memory>

namespace glint {

class RowLeaves;

/// What a search found, per query, nearest first.
struct NearestResult {
  torch::Tensor index;     ///< int64 [queries, k]: rows of the bank
  torch::Tensor distance;  ///< float32 [queries, k]: Euclidean, computed in float32 from the differences
};

/// Immutable after construction; const methods may run from several threads.
class NearestRows {
 public:
  /// rows: float32 [n, d] on the CPU, n >= 1. Kept, and beside them about 140 bytes a row.
  explicit NearestRows(torch::Tensor rows);

  std::int64_t size() const { return rows_.size(0); }
  std::int64_t width() const { return rows_.size(1); }
  const torch::Tensor& rows() const { return rows_; }

  /// queries: float32 [q, d] on the CPU; 1 <= k <= size(). The k nearest; of rows equally far the lower comes
  /// first. Does not depend on the number of threads or on the other queries. A query that is not finite is
  /// infinitely far from rows 0 ... k-1. Fastest when queries that follow each other are similar.
  NearestResult search(const torch::Tensor& queries, std::int64_t k = 1) const;
  /// The same by measuring every row.
  NearestResult search_literal(const torch::Tensor& queries, std::int64_t k = 1) const;

 private:
  torch::Tensor rows_;
  std::shared_ptr<const RowLeaves> leaves_;  ///< absent where there are few rows
};

}  // namespace glint
