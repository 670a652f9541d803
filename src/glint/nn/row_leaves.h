// Which rows of a set can lie near a point: lower bounds of Euclidean distances that cost a small part of the
// distances themselves. Private to what measures the rows that are left: nearest.h, and the selection of
// PatchCore's rows (detect/patchcore/coreset.h).
//
// Features of patches fill few of their dimensions. An orthonormal projection to kDims of them, by falling
// variance, never makes a distance longer, and keeps most of it. In projected coordinates the rows are parted
// at medians, one dimension at a time, into leaves of kLeafRows rows (a k-d tree: Friedman, Bentley and
// Finkel 1977). A row is ruled out by the first of three bounds that is beyond the reach: its leaf's box over
// the first kBoxDims coordinates; the first kHead coordinates in 8 bits; kTail more in 8 bits. What rounding
// to 8 bits can hide is added to the reach (triangle inequality), so that no bound is ever too large.
#pragma once

#include <torch/types.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace glint {

/// Immutable after construction; const methods may run from several threads.
class RowLeaves {
 public:
  static constexpr std::int64_t kLeafRows = 64, kHead = 64, kTail = 64, kDims = kHead + kTail;

  /// A point as the bounds need it.
  struct Point {
    std::array<float, kDims> coordinates;
    std::array<std::uint8_t, kHead> head;
    std::array<std::uint8_t, kTail> tail;
    std::int32_t head_squares, tail_squares;
    float head_error, tail_error;  ///< what rounding moved, a distance
    float slack;                   ///< what rounding in float32 can add to a distance to any row
  };

  /// rows: float32 [n, d] contiguous on the CPU, n >= 1. Not kept. Takes about n * d * 256 operations.
  explicit RowLeaves(const torch::Tensor& rows);

  std::int64_t leaves() const { return leaves_; }
  /// The rows of a leaf, ascending; only the last leaf may have fewer than kLeafRows.
  std::span<const std::int32_t> rows_of(std::int64_t leaf) const;

  /// points: float32 [count, d], finite, row after row. Runs on the calling thread.
  void place(const float* points, std::int64_t count, Point* out) const;

  /// Squared lower bounds of the distance to each leaf, and a few values more; those above `limit` may be
  /// smaller than they could be.
  void box_bounds(const Point& point, float limit, std::vector<float>& out) const;

  /// The distance beyond which no row matters whose squared distance in float32 is above `squared`.
  static float reach(const Point& point, float squared) {
    return std::sqrt(squared) * (1 + kRelativeSlack) + point.slack;
  }

  /// One bit per row of the leaf, bit i for rows_of(leaf)[i]: those that may lie within `reach`.
  std::uint64_t near(const Point& point, std::int64_t leaf, float reach) const;
  /// The `count` rows of the leaf (all where it has fewer) that are likely the nearest, one bit per row.
  std::uint64_t likely(const Point& point, std::int64_t leaf, std::int64_t count) const;

 private:
  /// Far above what sums of float32 squares over some thousands of values lose.
  static constexpr float kRelativeSlack = 1e-5F;

  void project(const float* points, std::int64_t count, float* coordinates, float* norms) const;

  std::int64_t width_ = 0, rows_ = 0, leaves_ = 0;
  std::vector<float> mean_, basis_;  ///< [d], [d, kDims]
  float largest_norm_ = 0;           ///< of a row, less the mean
  float head_step_ = 1, tail_step_ = 1;
  std::vector<std::int32_t> order_;  ///< leaf after leaf
  std::vector<float> boxes_;         ///< groups of kBoxGroup leaves: [kBoxDims][low, high][kBoxGroup]
  std::vector<float> head_error_, tail_error_;  ///< [leaves]: largest of its rows
  std::vector<std::int8_t> head_;               ///< [leaves][kHead / 4][kLeafRows][4]
  std::vector<std::int32_t> head_offset_;       ///< [leaves][kLeafRows]
  std::vector<std::int8_t> tail_;               ///< [leaves][kLeafRows][kTail]
  std::vector<std::int32_t> tail_offset_;       ///< [leaves][kLeafRows]
};

}  // namespace glint
