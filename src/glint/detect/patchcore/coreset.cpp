#include "glint/detect/patchcore/coreset.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/nn/nearest_kernels.h"
#include "glint/nn/row_leaves.h"

namespace glint {
namespace {

constexpr float kPicked = -1;  // in place of a distance: never the farthest again

/// Squared anchor distance of every row before the first pick.
std::vector<float> first_distances(const torch::Tensor& rows, CoresetStart start,
                                   const std::vector<std::int64_t>& start_points) {
  const std::int64_t n = rows.size(0), d = rows.size(1);
  const float* x = rows.data_ptr<float>();
  std::vector<float> out(static_cast<std::size_t>(n));
  const std::size_t points = start == CoresetStart::kKCenter ? 1 : start_points.size();
  at::parallel_for(0, n, 1024, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) {
      float sum = 0;
      for (std::size_t p = 0; p < points; ++p)
        sum += std::sqrt(squared_distance(x + i * d, x + start_points[p] * d, d));
      const float mean = sum / static_cast<float>(points);
      out[i] = mean * mean;
    }
  });
  return out;
}

/// Squared distances to the kept rows, leaf by leaf, with the farthest row of each leaf.
class Distances {
 public:
  Distances(const torch::Tensor& rows, const std::vector<float>& squared)
      : x_(rows.data_ptr<float>()), width_(rows.size(1)), leaves_(rows) {
    for (std::int64_t leaf = 0; leaf < leaves_.leaves(); ++leaf) {
      for (const std::int32_t row : leaves_.rows_of(leaf))
        squared_.push_back(squared[static_cast<std::size_t>(row)]);
      farthest_.emplace_back();
      find_farthest(leaf);
    }
  }

  struct Farthest {
    float squared = kPicked;
    std::int32_t row = 0;
    std::int64_t leaf = 0, place = 0;
    /// Farther first, then lower rows.
    bool behind(const Farthest& other) const {
      return squared != other.squared ? squared < other.squared : row > other.row;
    }
  };
  Farthest farthest() const {
    Farthest out = farthest_.front();
    for (const Farthest& one : farthest_) {
      if (out.behind(one)) out = one;
    }
    return out;
  }

  /// Keeps that row: the distances of those near it come down to theirs to it.
  void keep(const Farthest& pick) {
    squared_[static_cast<std::size_t>(pick.place)] = kPicked;
    find_farthest(pick.leaf);
    const float* own = x_ + pick.row * width_;
    RowLeaves::Point point;
    leaves_.place(own, 1, &point);
    // No row is farther from the kept ones than the pick was.
    const float most = RowLeaves::reach(point, pick.squared);
    leaves_.box_bounds(point, most * most, bounds_);
    for (std::int64_t leaf = 0; leaf < leaves_.leaves(); ++leaf) {
      const float squared = farthest_[static_cast<std::size_t>(leaf)].squared;
      if (!(squared > 0)) continue;
      const float reach = RowLeaves::reach(point, squared);
      if (!(bounds_[static_cast<std::size_t>(leaf)] <= reach * reach)) continue;
      std::uint64_t mask = leaves_.near(point, leaf, reach);
      const auto rows = leaves_.rows_of(leaf);
      bool changed = false;
      for (; mask != 0; mask &= mask - 1) {
        const auto r = static_cast<std::size_t>(std::countr_zero(mask));
        float& before = squared_[static_cast<std::size_t>(leaf * RowLeaves::kLeafRows) + r];
        const float now = squared_distance(x_ + rows[r] * width_, own, width_);
        if (now < before) {
          before = now;
          changed = true;
        }
      }
      if (changed) find_farthest(leaf);
    }
  }

 private:
  void find_farthest(std::int64_t leaf) {
    const auto rows = leaves_.rows_of(leaf);
    Farthest out;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const auto place = static_cast<std::size_t>(leaf * RowLeaves::kLeafRows) + r;
      if (r == 0 || squared_[place] > out.squared)  // rows ascend: the first of equals is the lowest
        out = {squared_[place], rows[r], leaf, static_cast<std::int64_t>(place)};
    }
    farthest_[static_cast<std::size_t>(leaf)] = out;
  }

  const float* x_;
  std::int64_t width_;
  RowLeaves leaves_;
  std::vector<float> squared_, bounds_;
  std::vector<Farthest> farthest_;
};

}  // namespace

Coreset greedy_coreset(const torch::Tensor& all_rows, std::int64_t count, CoresetStart start,
                       const std::vector<std::int64_t>& start_points,
                       const std::function<void(std::int64_t)>& on_progress) {
  GLINT_CHECK(all_rows.dim() == 2 && all_rows.scalar_type() == torch::kFloat && !start_points.empty());
  constexpr std::int64_t kReport = 256;  // picks between two reports
  const torch::InferenceMode inference;
  const torch::Tensor rows = all_rows.contiguous();
  count = std::min(count, rows.size(0));
  std::vector<float> squared = first_distances(rows, start, start_points);
  if (start == CoresetStart::kKCenter)
    squared[static_cast<std::size_t>(start_points[0])] = std::numeric_limits<float>::infinity();
  Distances distances(rows, squared);
  Coreset out;
  while (std::ssize(out.index) < count) {
    const auto pick = distances.farthest();
    distances.keep(pick);
    out.index.push_back(pick.row);
    out.radius.push_back(std::sqrt(std::max(0.0F, distances.farthest().squared)));
    if (on_progress && (std::ssize(out.index) % kReport == 0 || std::ssize(out.index) == count))
      on_progress(std::ssize(out.index));
  }
  return out;
}

Coreset greedy_coreset_literal(const torch::Tensor& all_rows, std::int64_t count, CoresetStart start,
                               const std::vector<std::int64_t>& start_points) {
  const torch::Tensor rows = all_rows.contiguous();
  const std::int64_t n = rows.size(0), d = rows.size(1);
  const float* x = rows.data_ptr<float>();
  count = std::min(count, n);
  std::vector<float> squared = first_distances(rows, start, start_points);
  Coreset out;
  while (std::ssize(out.index) < count) {
    const bool given = start == CoresetStart::kKCenter && out.index.empty();
    const std::int64_t pick =
        given ? start_points[0] : std::max_element(squared.begin(), squared.end()) - squared.begin();
    out.index.push_back(pick);
    for (std::int64_t i = 0; i < n; ++i)
      squared[i] = std::min(squared[i], squared_distance(x + i * d, x + pick * d, d));
    out.radius.push_back(std::sqrt(*std::max_element(squared.begin(), squared.end())));
  }
  return out;
}

torch::Tensor random_projection(std::int64_t d_in, std::int64_t d_out, std::uint64_t seed) {
  torch::Tensor out = torch::empty({d_out, d_in});
  Rng rng(seed, "patchcore.projection");
  const double bound = 1 / std::sqrt(static_cast<double>(d_in));
  float* values = out.data_ptr<float>();
  for (std::int64_t i = 0; i < d_out * d_in; ++i)
    values[i] = static_cast<float>(bound * (2 * rng.uniform() - 1));
  return out;
}

}  // namespace glint
