#include "glint/detect/patchcore/coreset.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "glint/base/error.h"
#include "glint/base/random.h"

namespace glint {
namespace {

constexpr std::int64_t kCandidates = 8192;  // rows looked at between two passes
constexpr std::int64_t kMostPicks = 256;    // per pass: width of its matrix product
constexpr std::int64_t kRows = 8192;        // per product

float squared_distance(const float* a, const float* b, std::int64_t d) {
  float sum = 0;
  for (std::int64_t i = 0; i < d; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

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

/// Brings the squared distances down to those of the new picks.
void apply_picks(const torch::Tensor& rows, const torch::Tensor& norms,
                 const std::vector<std::int64_t>& picks, std::vector<float>& squared) {
  const torch::Tensor index = torch::tensor(picks);
  const torch::Tensor centres = rows.index_select(0, index), centre_norms = norms.index_select(0, index);
  const std::int64_t n = rows.size(0), m = centres.size(0);
  const float* own = norms.data_ptr<float>();
  const float* theirs = centre_norms.data_ptr<float>();
  for (std::int64_t first = 0; first < n; first += kRows) {
    const torch::Tensor products = at::linear(rows.slice(0, first, std::min(n, first + kRows)), centres);
    const float* p = products.data_ptr<float>();
    at::parallel_for(0, products.size(0), 256, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t i = from; i < to; ++i) {
        float least = std::numeric_limits<float>::infinity();
        for (std::int64_t c = 0; c < m; ++c) {
          const float value = theirs[c] - 2 * p[i * m + c];
          least = value < least ? value : least;
        }
        const float distance = std::max(0.0F, own[first + i] + least);
        squared[first + i] = std::min(squared[first + i], distance);
      }
    });
  }
  for (const std::int64_t pick : picks) squared[pick] = 0;
}

}  // namespace

Coreset greedy_coreset(const torch::Tensor& all_rows, std::int64_t count, CoresetStart start,
                       const std::vector<std::int64_t>& start_points,
                       const std::function<void(std::int64_t)>& on_progress) {
  GLINT_CHECK(all_rows.dim() == 2 && all_rows.scalar_type() == torch::kFloat && !start_points.empty());
  const torch::InferenceMode inference;
  // Less their mean: distances stay, and the products lose fewer digits.
  const torch::Tensor rows = (all_rows - all_rows.mean(0)).contiguous(), norms = rows.square().sum(1);
  const std::int64_t n = rows.size(0), d = rows.size(1);
  const float* x = rows.data_ptr<float>();
  count = std::min(count, n);
  std::vector<float> squared = first_distances(rows, start, start_points);
  Coreset out;
  if (start == CoresetStart::kKCenter && count > 0) {
    out.index.push_back(start_points[0]);
    squared[start_points[0]] = 0;
    out.radius.push_back(std::sqrt(*std::max_element(squared.begin(), squared.end())));
  }
  // Farther first, then lower rows.
  const auto ahead = [&](std::int64_t a, std::int64_t b) {
    return squared[a] != squared[b] ? squared[a] > squared[b] : a < b;
  };
  std::vector<std::int64_t> order;
  std::vector<bool> kept(static_cast<std::size_t>(n), false);
  for (const std::int64_t row : out.index) kept[row] = true;
  while (std::ssize(out.index) < count) {
    order.resize(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    std::erase_if(order, [&](std::int64_t row) { return kept[row]; });
    const auto candidates = std::min<std::int64_t>(kCandidates, std::ssize(order));
    float bound = -1;  // nothing outside of the candidates is farther
    if (candidates < std::ssize(order)) {
      std::nth_element(order.begin(), order.begin() + candidates, order.end(), ahead);
      bound = squared[order[candidates]];
    }
    order.resize(static_cast<std::size_t>(candidates));
    std::sort(order.begin(), order.end());  // rows in order, so that the first of equals is the lowest
    std::vector<std::int64_t> picks;
    while (std::ssize(out.index) < count && std::ssize(picks) < kMostPicks && !order.empty()) {
      const auto best = std::max_element(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        return squared[a] < squared[b];
      });
      // A row outside with the same distance and a lower number would come first: then all rows are looked at
      // again.
      if (!picks.empty() && !(squared[*best] > bound)) break;
      const std::int64_t pick = *best;
      picks.push_back(pick);
      kept[pick] = true;
      out.index.push_back(pick);
      order.erase(best);
      float farthest = bound;
      for (const std::int64_t row : order) {
        squared[row] = std::min(squared[row], squared_distance(x + row * d, x + pick * d, d));
        farthest = std::max(farthest, squared[row]);
      }
      out.radius.push_back(std::sqrt(std::max(0.0F, farthest)));
    }
    apply_picks(rows, norms, picks, squared);
    // The last pick's radius may count a stale distance outside; now all are known.
    out.radius.back() = std::sqrt(*std::max_element(squared.begin(), squared.end()));
    if (on_progress) on_progress(std::ssize(out.index));
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
