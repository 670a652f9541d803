#include "glint/nn/nearest.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "glint/base/error.h"
#include "glint/nn/nearest_kernels.h"
#include "glint/nn/row_leaves.h"

namespace glint {
namespace {

constexpr std::int64_t kFewRows = 512;  // below it bounds cost more than they save
constexpr std::int64_t kTogether = 16;  // queries, so that the rows of a leaf are read once for all of them

/// The nearest rows so far, by squared distance, then by row.
class Nearest {
 public:
  /// Until rows are measured: the first rows, infinitely far.
  void start(std::int64_t k) {
    found_.resize(static_cast<std::size_t>(k));
    for (std::size_t i = 0; i < found_.size(); ++i)
      found_[i] = {std::numeric_limits<float>::infinity(), static_cast<std::int32_t>(i)};
  }
  float worst() const { return found_.back().first; }
  void offer(float squared, std::int32_t row) {
    const std::pair candidate(squared, row);
    if (!(candidate < found_.back()) || std::isinf(squared)) return;
    const auto at = std::lower_bound(found_.begin(), found_.end(), candidate);
    if (*at == candidate) return;  // measured before
    std::move_backward(at, found_.end() - 1, found_.end());
    *at = candidate;
  }
  const std::vector<std::pair<float, std::int32_t>>& found() const { return found_; }
  void write(std::int64_t* index, float* distance) const {
    for (const auto& [squared, row] : found_) {
      *index++ = row;
      *distance++ = std::sqrt(squared);
    }
  }

 private:
  std::vector<std::pair<float, std::int32_t>> found_;
};

bool finite(const float* values, std::int64_t count) {
  float sum = 0;  // not finite if one is not: no value becomes finite again by a product with 0
  for (std::int64_t i = 0; i < count; ++i) sum += values[i] * 0.0F;
  return sum == 0;
}

/// What one thread needs, made once.
struct Workspace {
  std::array<RowLeaves::Point, kTogether> points;
  std::array<Nearest, kTogether> nearest;
  std::array<std::vector<float>, kTogether> bounds;
  std::vector<float> least;
  std::vector<std::int32_t> order;
};

/// The nearest rows of `count` <= kTogether finite queries.
void search_together(const RowLeaves& leaves, const float* bank, const float* queries, std::int64_t count,
                     std::int64_t d, std::int64_t k, Workspace& work) {
  leaves.place(queries, count, work.points.data());
  const auto measure_row = [&](std::size_t q, std::int32_t row) {
    const float* query = queries + static_cast<std::int64_t>(q) * d;
    work.nearest[q].offer(squared_distance(query, bank + row * d, d), row);
  };
  const auto measure = [&](std::size_t q, std::int64_t leaf, std::uint64_t mask) {
    const auto rows = leaves.rows_of(leaf);
    for (; mask != 0; mask &= mask - 1)
      measure_row(q, rows[static_cast<std::size_t>(std::countr_zero(mask))]);
  };
  const auto n = static_cast<std::size_t>(count), all = static_cast<std::size_t>(leaves.leaves());
  work.least.assign(all, std::numeric_limits<float>::infinity());
  std::array<float, kTogether> reach;
  float farthest = 0;
  for (std::size_t q = 0; q < n; ++q) {
    // First the rows nearest to the query before, then a few from the leaf that seems nearest: from then on
    // most leaves are out of reach.
    Nearest& nearest = work.nearest[q];
    nearest.start(k);
    for (std::size_t i = 0; q > 0 && i < work.nearest[q - 1].found().size(); ++i)
      measure_row(q, work.nearest[q - 1].found()[i].second);
    reach[q] = RowLeaves::reach(work.points[q], nearest.worst());
    std::vector<float>& bounds = work.bounds[q];
    leaves.box_bounds(work.points[q], reach[q] * reach[q], bounds);
    const std::int64_t first =
        std::min_element(bounds.begin(), bounds.begin() + leaves.leaves()) - bounds.begin();
    measure(q, first, leaves.likely(work.points[q], first, k));
    reach[q] = RowLeaves::reach(work.points[q], nearest.worst());
    farthest = std::max(farthest, reach[q] * reach[q]);
    for (std::size_t leaf = 0; leaf < all; ++leaf)
      work.least[leaf] = std::min(work.least[leaf], bounds[leaf]);
  }
  // The nearest leaves of any of the queries first, as far as one reaches.
  work.order.clear();
  for (std::size_t leaf = 0; leaf < work.least.size(); ++leaf) {
    if (work.least[leaf] <= farthest) work.order.push_back(static_cast<std::int32_t>(leaf));
  }
  std::sort(work.order.begin(), work.order.end(), [&](std::int32_t a, std::int32_t b) {
    return work.least[static_cast<std::size_t>(a)] < work.least[static_cast<std::size_t>(b)];
  });
  for (const std::int32_t leaf : work.order) {
    for (std::size_t q = 0; q < n; ++q) {
      if (!(work.bounds[q][static_cast<std::size_t>(leaf)] <= reach[q] * reach[q])) continue;
      const std::uint64_t mask = leaves.near(work.points[q], leaf, reach[q]);
      if (mask == 0) continue;
      measure(q, leaf, mask);
      reach[q] = RowLeaves::reach(work.points[q], work.nearest[q].worst());
    }
  }
}

}  // namespace

NearestRows::NearestRows(torch::Tensor rows) : rows_(std::move(rows)) {
  GLINT_CHECK(rows_.dim() == 2 && rows_.size(0) > 0 && rows_.scalar_type() == torch::kFloat);
  const torch::InferenceMode inference;
  rows_ = rows_.contiguous();
  if (size() >= kFewRows) leaves_ = std::make_shared<const RowLeaves>(rows_);
}

NearestResult NearestRows::search(const torch::Tensor& queries, std::int64_t k) const {
  if (!leaves_) return search_literal(queries, k);
  GLINT_CHECK(queries.dim() == 2 && queries.size(1) == width() && k >= 1 && k <= size());
  const torch::InferenceMode inference;
  const std::int64_t total = queries.size(0), d = width();
  NearestResult out{torch::empty({total, k}, torch::kLong), torch::empty({total, k}, torch::kFloat)};
  const torch::Tensor all = queries.contiguous();
  const float *x = all.data_ptr<float>(), *bank = rows_.data_ptr<float>();
  auto* index = out.index.data_ptr<std::int64_t>();
  auto* distance = out.distance.data_ptr<float>();
#pragma omp parallel
  {
    Workspace work;
#pragma omp for schedule(dynamic)
    for (std::int64_t begin = 0; begin < total; begin += kTogether) {
      const std::int64_t end = std::min(total, begin + kTogether);
      for (std::int64_t at = begin; at < end;) {
        // As many finite queries as follow each other; as a rule all.
        std::int64_t count = 0;
        while (at + count < end && finite(x + (at + count) * d, d)) ++count;
        if (count == 0) {
          work.nearest[0].start(k);
          work.nearest[0].write(index + at * k, distance + at * k);
          ++at;
          continue;
        }
        search_together(*leaves_, bank, x + at * d, count, d, k, work);
        for (std::int64_t q = 0; q < count; ++q)
          work.nearest[static_cast<std::size_t>(q)].write(index + (at + q) * k, distance + (at + q) * k);
        at += count;
      }
    }
  }
  return out;
}

NearestResult NearestRows::search_literal(const torch::Tensor& queries, std::int64_t k) const {
  GLINT_CHECK(queries.dim() == 2 && queries.size(1) == width() && k >= 1 && k <= size());
  const torch::InferenceMode inference;
  const std::int64_t total = queries.size(0), d = width();
  NearestResult out{torch::empty({total, k}, torch::kLong), torch::empty({total, k}, torch::kFloat)};
  const torch::Tensor all = queries.contiguous();
  const float *x = all.data_ptr<float>(), *bank = rows_.data_ptr<float>();
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t q = 0; q < total; ++q) {
    Nearest nearest;
    nearest.start(k);
    for (std::int64_t row = 0; row < size(); ++row)
      nearest.offer(squared_distance(x + q * d, bank + row * d, d), static_cast<std::int32_t>(row));
    nearest.write(out.index.data_ptr<std::int64_t>() + q * k, out.distance.data_ptr<float>() + q * k);
  }
  return out;
}

}  // namespace glint
