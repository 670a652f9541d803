#include "glint/nn/row_leaves.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <oneapi/dnnl/dnnl.hpp>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/nn/nearest_kernels.h"
#include "glint/nn/openmp_threads.h"

namespace glint {
namespace {

constexpr std::int64_t kChunk = 512;       // rows projected at once by one thread
constexpr std::int64_t kSample = 2048;     // rows that the projection is found from
constexpr int kIterations = 6;             // of the subspace: better ones only save time
constexpr float kStepQuantile = 0.99F;     // of the rows' largest coordinates; beyond it they are cut off
constexpr std::int32_t kFar = -(1 << 30);  // offset of a place without a row: below every threshold

/// d x kDims, columns orthonormal (zero beyond d), about the leading principal axes of the rows less their
/// mean, largest variance first: orthogonal iteration on the covariance of a sample.
torch::Tensor leading_axes(const torch::Tensor& rows, const torch::Tensor& mean) {
  const std::int64_t n = rows.size(0), d = rows.size(1), m = std::min(n, kSample);
  const std::int64_t kept = std::min(d, RowLeaves::kDims);
  const torch::Tensor index = at::arange(m) * n / m;
  const torch::Tensor sample = rows.index_select(0, index.to(torch::kLong)) - mean;
  const torch::Tensor covariance = at::mm(sample.t(), sample).div_(static_cast<double>(m));
  torch::Tensor axes = torch::empty({d, kept});
  Rng rng(0, "row_leaves.axes");
  for (std::int64_t i = 0; i < axes.numel(); ++i)
    axes.data_ptr<float>()[i] = static_cast<float>(rng.normal());
  for (int i = 0; i < kIterations; ++i) axes = std::get<0>(at::linalg_qr(at::mm(covariance, axes)));
  torch::Tensor out = torch::zeros({d, RowLeaves::kDims});
  out.slice(1, 0, kept).copy_(axes);
  return out;
}

/// An orthonormal mix of n = 64 values (Walsh and Hadamard): afterwards all have about the same variance, so
/// that one step of rounding suits all.
void mix(const float* in, float* out) {
  constexpr int n = 64;
  std::copy_n(in, n, out);
  for (int half = 1; half < n; half *= 2) {
    for (int i = 0; i < n; i += 2 * half) {
      for (int j = i; j < i + half; ++j) {
        const float a = out[j], b = out[j + half];
        out[j] = a + b;
        out[j + half] = a - b;
      }
    }
  }
  for (int i = 0; i < n; ++i) out[i] *= 0.125F;  // 1 / sqrt(64)
}
static_assert(RowLeaves::kHead == 64 && RowLeaves::kTail == 64);

/// Mixed values in steps, cut off at +-127.
struct Rounded {
  std::array<std::int32_t, 64> values;
  std::int32_t squares = 0, sum = 0;
  float error = 0;  ///< length of the difference
};

Rounded rounded(const float* mixed, float step) {
  Rounded out;
  double error = 0;
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    const float value = std::clamp(std::nearbyint(mixed[i] / step), -127.0F, 127.0F);
    out.values[i] = static_cast<std::int32_t>(value);
    out.squares += out.values[i] * out.values[i];
    out.sum += out.values[i];
    const double moved = static_cast<double>(mixed[i]) - static_cast<double>(value) * step;
    error += moved * moved;
  }
  out.error = static_cast<float>(std::sqrt(error));
  return out;
}

/// Of coordinates [n, kDims]: a step in which nearly all rows' mixed values from `first` on fit 8 bits.
float step_of(const std::vector<float>& coordinates, std::int64_t first) {
  const std::int64_t n = std::ssize(coordinates) / RowLeaves::kDims;
  std::vector<float> largest(static_cast<std::size_t>(n));
#pragma omp parallel for
  for (std::int64_t i = 0; i < n; ++i) {
    float mixed[64];
    mix(coordinates.data() + i * RowLeaves::kDims + first, mixed);
    float most = 0;
    for (const float v : mixed) most = std::max(most, std::abs(v));
    largest[static_cast<std::size_t>(i)] = most;
  }
  const auto at = largest.begin() + static_cast<std::int64_t>(kStepQuantile * static_cast<float>(n - 1));
  std::nth_element(largest.begin(), at, largest.end());
  return *at > 0 ? *at / 127 : 1;
}

/// Puts the rows of each leaf side by side, splitting at the median of the coordinate that varies most.
/// Ties go by row, so that the order is the same everywhere.
void part(const std::vector<float>& coordinates, std::span<std::int32_t> rows) {
  const auto n = std::ssize(rows);
  if (n <= RowLeaves::kLeafRows) {
    std::sort(rows.begin(), rows.end());
    return;
  }
  double sums[kBoxDims] = {}, squares[kBoxDims] = {};
  for (const std::int32_t row : rows) {
    const float* x = coordinates.data() + row * RowLeaves::kDims;
    for (std::int64_t j = 0; j < kBoxDims; ++j) {
      sums[j] += x[j];
      squares[j] += static_cast<double>(x[j]) * x[j];
    }
  }
  std::int64_t widest = 0;
  const auto variance = [&](std::int64_t j) {
    return squares[j] - sums[j] * sums[j] / static_cast<double>(n);
  };
  for (std::int64_t j = 1; j < kBoxDims; ++j) {
    if (variance(j) > variance(widest)) widest = j;
  }
  const std::int64_t leaves = (n + RowLeaves::kLeafRows - 1) / RowLeaves::kLeafRows;
  const auto middle = static_cast<std::size_t>(leaves / 2 * RowLeaves::kLeafRows);
  std::nth_element(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(middle), rows.end(),
                   [&](std::int32_t a, std::int32_t b) {
                     const float x = coordinates[static_cast<std::size_t>(a * RowLeaves::kDims + widest)];
                     const float y = coordinates[static_cast<std::size_t>(b * RowLeaves::kDims + widest)];
                     return x != y ? x < y : a < b;
                   });
#pragma omp task if (n > 4096) shared(coordinates)
  part(coordinates, rows.first(middle));
  part(coordinates, rows.subspan(middle));
#pragma omp taskwait
}

}  // namespace

RowLeaves::RowLeaves(const torch::Tensor& rows) : width_(rows.size(1)), rows_(rows.size(0)) {
  GLINT_CHECK(rows.dim() == 2 && rows_ >= 1 && rows.scalar_type() == torch::kFloat && rows.is_contiguous() &&
              rows_ < std::numeric_limits<std::int32_t>::max() / kDims);
  const torch::InferenceMode inference;
  const torch::Tensor mean = rows.mean(0), axes = leading_axes(rows, mean).contiguous();
  mean_.assign(mean.data_ptr<float>(), mean.data_ptr<float>() + width_);
  basis_.assign(axes.data_ptr<float>(), axes.data_ptr<float>() + width_ * kDims);

  const float* x = rows.data_ptr<float>();
  std::vector<float> coordinates(static_cast<std::size_t>(rows_ * kDims)),
      norms(static_cast<std::size_t>(rows_));
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t i = 0; i < rows_; i += kChunk)
    project(x + i * width_, std::min(kChunk, rows_ - i), coordinates.data() + i * kDims, norms.data() + i);
  largest_norm_ = *std::max_element(norms.begin(), norms.end());
  head_step_ = step_of(coordinates, 0);
  tail_step_ = step_of(coordinates, kHead);

  order_.resize(static_cast<std::size_t>(rows_));
  std::iota(order_.begin(), order_.end(), 0);
#pragma omp parallel
#pragma omp single
  part(coordinates, order_);

  leaves_ = (rows_ + kLeafRows - 1) / kLeafRows;
  const std::int64_t places = leaves_ * kLeafRows, groups = (leaves_ + kBoxGroup - 1) / kBoxGroup;
  boxes_.assign(static_cast<std::size_t>(groups * kBoxGroup * kBoxDims * 2),
                std::numeric_limits<float>::infinity());
  head_error_.assign(static_cast<std::size_t>(leaves_), 0);
  tail_error_ = head_error_;
  head_.assign(static_cast<std::size_t>(places * kHead), 0);
  tail_.assign(static_cast<std::size_t>(places * kTail), 0);
  head_offset_.assign(static_cast<std::size_t>(places), kFar);
  tail_offset_.assign(static_cast<std::size_t>(places), 0);
#pragma omp parallel for
  for (std::int64_t leaf = 0; leaf < leaves_; ++leaf) {
    float* box = boxes_.data() + (leaf / kBoxGroup) * kBoxGroup * kBoxDims * 2 + leaf % kBoxGroup;
    for (std::int64_t j = 0; j < kBoxDims; ++j)
      box[(2 * j + 1) * kBoxGroup] = -std::numeric_limits<float>::infinity();
    const auto members = rows_of(leaf);
    for (std::int64_t r = 0; r < std::ssize(members); ++r) {
      const float* own = coordinates.data() + members[static_cast<std::size_t>(r)] * kDims;
      for (std::int64_t j = 0; j < kBoxDims; ++j) {
        float &low = box[2 * j * kBoxGroup], &high = box[(2 * j + 1) * kBoxGroup];
        low = std::min(low, own[j]);
        high = std::max(high, own[j]);
      }
      float mixed[64];
      mix(own, mixed);
      const Rounded head = rounded(mixed, head_step_);
      mix(own + kHead, mixed);
      const Rounded tail = rounded(mixed, tail_step_);
      for (std::int64_t i = 0; i < kHead; ++i) {
        head_[static_cast<std::size_t>(leaf * kLeafRows * kHead + (i / 4 * kLeafRows + r) * 4 + i % 4)] =
            static_cast<std::int8_t>(head.values[static_cast<std::size_t>(i)]);
        tail_[static_cast<std::size_t>((leaf * kLeafRows + r) * kTail + i)] =
            static_cast<std::int8_t>(tail.values[static_cast<std::size_t>(i)]);
      }
      // A point's values come 128 too large, to be without sign.
      head_offset_[static_cast<std::size_t>(leaf * kLeafRows + r)] = -128 * head.sum - head.squares / 2;
      tail_offset_[static_cast<std::size_t>(leaf * kLeafRows + r)] = tail.squares + 256 * tail.sum;
      auto& head_error = head_error_[static_cast<std::size_t>(leaf)];
      auto& tail_error = tail_error_[static_cast<std::size_t>(leaf)];
      head_error = std::max(head_error, head.error);
      tail_error = std::max(tail_error, tail.error);
    }
  }
}

std::span<const std::int32_t> RowLeaves::rows_of(std::int64_t leaf) const {
  const std::int64_t first = leaf * kLeafRows;
  return std::span(order_).subspan(static_cast<std::size_t>(first),
                                   static_cast<std::size_t>(std::min(kLeafRows, rows_ - first)));
}

void RowLeaves::project(const float* points, std::int64_t count, float* coordinates, float* norms) const {
  thread_local std::vector<float> centred;
  centred.resize(static_cast<std::size_t>(count * width_));
  for (std::int64_t i = 0; i < count; ++i) {
    float* row = centred.data() + i * width_;
    norms[i] = std::sqrt(centre_row(points + i * width_, mean_.data(), width_, row));
  }
  const OpenMpThreads one(1);  // callers share the work; one row among many threads would only wait
  const auto status = dnnl::sgemm('N', 'N', count, kDims, width_, 1.0F, centred.data(), width_, basis_.data(),
                                  kDims, 0.0F, coordinates, kDims);
  GLINT_CHECK(status == dnnl::status::success);
}

void RowLeaves::place(const float* points, std::int64_t count, Point* out) const {
  thread_local std::vector<float> coordinates, norms;
  coordinates.resize(static_cast<std::size_t>(count * kDims));
  norms.resize(static_cast<std::size_t>(count));
  project(points, count, coordinates.data(), norms.data());
  for (std::int64_t i = 0; i < count; ++i) {
    Point& point = out[i];
    const float* own = coordinates.data() + i * kDims;
    std::copy_n(own, kDims, point.coordinates.begin());
    float mixed[64];
    mix(own, mixed);
    const Rounded head = rounded(mixed, head_step_);
    mix(own + kHead, mixed);
    const Rounded tail = rounded(mixed, tail_step_);
    for (std::size_t j = 0; j < head.values.size(); ++j) {
      point.head[j] = static_cast<std::uint8_t>(head.values[j] + 128);
      point.tail[j] = static_cast<std::uint8_t>(tail.values[j] + 128);
    }
    point.head_squares = head.squares;
    point.tail_squares = tail.squares;
    point.head_error = head.error;
    point.tail_error = tail.error;
    point.slack = kRelativeSlack * (norms[static_cast<std::size_t>(i)] + largest_norm_);
  }
}

void RowLeaves::box_bounds(const Point& point, float limit, std::vector<float>& out) const {
  const std::int64_t groups = (leaves_ + kBoxGroup - 1) / kBoxGroup;
  out.resize(static_cast<std::size_t>(groups * kBoxGroup));
  box_distances(point.coordinates.data(), boxes_.data(), groups, limit, out.data());
}

std::uint64_t RowLeaves::near(const Point& point, std::int64_t leaf, float reach) const {
  const auto at = static_cast<std::size_t>(leaf);
  const std::int64_t first = leaf * kLeafRows;
  // squares - 2 product - 1 <= (within / step)^2 for every row that may be within.
  const float steps = (reach + point.head_error + head_error_[at]) / head_step_;
  const float least = (static_cast<float>(point.head_squares) - steps * steps * (1 + kRelativeSlack)) / 2 - 2;
  const std::int32_t threshold =
      least > static_cast<float>(kFar) ? static_cast<std::int32_t>(least) : kFar + 1;
  std::int32_t products[kLeafRows];
  std::uint64_t mask = head_products(point.head.data(), head_.data() + first * kHead,
                                     head_offset_.data() + first, products, threshold);
  std::uint64_t out = 0;
  for (; mask != 0; mask &= mask - 1) {
    const int r = std::countr_zero(mask);
    const auto head_squares = static_cast<float>(std::max(0, point.head_squares - 2 * products[r]));
    const float head =
        std::max(0.0F, head_step_ * std::sqrt(head_squares) - point.head_error - head_error_[at]);
    const float left = reach * reach - head * head;
    if (!(left >= 0)) continue;
    const std::int32_t product = tail_product(point.tail.data(), tail_.data() + (first + r) * kTail);
    const auto tail_squares = static_cast<float>(
        std::max(0, point.tail_squares + tail_offset_[static_cast<std::size_t>(first + r)] - 2 * product));
    const float tail = tail_step_ * std::sqrt(tail_squares) - point.tail_error - tail_error_[at];
    if (tail > 0 && tail * tail > left) continue;
    out |= std::uint64_t{1} << r;
  }
  return out;
}

std::uint64_t RowLeaves::likely(const Point& point, std::int64_t leaf, std::int64_t count) const {
  const std::int64_t first = leaf * kLeafRows, rows = std::ssize(rows_of(leaf));
  std::int32_t products[kLeafRows];
  head_products(point.head.data(), head_.data() + first * kHead, head_offset_.data() + first, products, kFar);
  std::uint64_t out = 0;
  for (std::int64_t picked = 0; picked < std::min(count, rows); ++picked) {
    std::int64_t best = -1;
    for (std::int64_t r = 0; r < rows; ++r) {
      if (!(out >> r & 1) && (best < 0 || products[r] > products[best])) best = r;
    }
    out |= std::uint64_t{1} << best;
  }
  return out;
}

}  // namespace glint
