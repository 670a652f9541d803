#include "glint/nn/nearest.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr std::int64_t kBlockRows = 2048;  // of the bank per product: keys and products stay in the cache
constexpr std::int64_t kQueries = 1024;    // per product
constexpr std::int64_t kGroup = 32;        // rows whose smallest value is found without a branch
constexpr std::int64_t kSpare = 4;         // candidates beyond k that are measured again

/// The smallest few (value, row) pairs of one query, sorted.
class Candidates {
 public:
  explicit Candidates(std::int64_t room)
      : values_(room, std::numeric_limits<float>::infinity()), rows_(room, 0) {}
  float worst() const { return values_.back(); }
  void insert(float value, std::int64_t row) {
    auto at = values_.size() - 1;
    for (; at > 0 && values_[at - 1] > value; --at) {
      values_[at] = values_[at - 1];
      rows_[at] = rows_[at - 1];
    }
    values_[at] = value;
    rows_[at] = row;
  }
  const std::vector<std::int64_t>& rows() const { return rows_; }

 private:
  std::vector<float> values_;
  std::vector<std::int64_t> rows_;
};

/// Goes over one query's products with rows first .. first + n of the bank. What is compared is half the
/// squared distance less the query's own part: norm - product.
template <class T>
void collect(const T* products, const float* norms, std::int64_t first, std::int64_t n, Candidates& best) {
  float values[kGroup];
  for (std::int64_t g = 0; g < n; g += kGroup) {
    const std::int64_t size = std::min(kGroup, n - g);
    float smallest = std::numeric_limits<float>::infinity();
    for (std::int64_t i = 0; i < size; ++i) {
      values[i] = norms[g + i] - static_cast<float>(products[g + i]);
      smallest = values[i] < smallest ? values[i] : smallest;
    }
    if (!(smallest < best.worst())) continue;
    for (std::int64_t i = 0; i < size; ++i) {
      if (values[i] < best.worst()) best.insert(values[i], first + g + i);
    }
  }
}

}  // namespace

NearestRows::NearestRows(torch::Tensor rows, Precision precision) : rows_(std::move(rows)) {
  GLINT_CHECK(rows_.dim() == 2 && rows_.size(0) > 0 && rows_.scalar_type() == torch::kFloat &&
              precision != Precision::kAuto);
  const torch::InferenceMode inference;
  rows_ = rows_.contiguous();
  mean_ = rows_.mean(0);
  const torch::Tensor centred = rows_ - mean_;
  norms_ = centred.square().sum(1).mul_(0.5);
  keys_ = centred.to(precision == Precision::kBFloat16 ? torch::kBFloat16 : torch::kFloat);
}

NearestResult NearestRows::search(const torch::Tensor& queries, std::int64_t k) const {
  GLINT_CHECK(queries.dim() == 2 && queries.size(1) == width() && k >= 1 && k <= size());
  const torch::InferenceMode inference;
  const std::int64_t total = queries.size(0), room = std::min(size(), k + kSpare);
  NearestResult out{torch::empty({total, k}, torch::kLong), torch::empty({total, k}, torch::kFloat)};
  const torch::Tensor all = queries.contiguous();
  for (std::int64_t begin = 0; begin < total; begin += kQueries) {
    const torch::Tensor query = all.slice(0, begin, std::min(total, begin + kQueries));
    const torch::Tensor centred = (query - mean_).to(keys_.scalar_type());
    std::vector<Candidates> best(static_cast<std::size_t>(query.size(0)), Candidates(room));
    for (std::int64_t first = 0; first < size(); first += kBlockRows) {
      const std::int64_t n = std::min(kBlockRows, size() - first);
      const torch::Tensor products = at::linear(centred, keys_.slice(0, first, first + n));
      const float* norms = norms_.data_ptr<float>() + first;
      at::parallel_for(0, query.size(0), 16, [&](std::int64_t from, std::int64_t to) {
        for (std::int64_t q = from; q < to; ++q) {
          if (products.scalar_type() == torch::kBFloat16)
            collect(products.data_ptr<at::BFloat16>() + q * n, norms, first, n, best[q]);
          else
            collect(products.data_ptr<float>() + q * n, norms, first, n, best[q]);
        }
      });
    }
    // Measured again in float32 from the differences; ties go to the lower row.
    const auto d = width();
    at::parallel_for(0, query.size(0), 16, [&](std::int64_t from, std::int64_t to) {
      std::vector<std::pair<float, std::int64_t>> measured;
      for (std::int64_t q = from; q < to; ++q) {
        const float* x = query.data_ptr<float>() + q * d;
        measured.clear();
        for (const std::int64_t row : best[q].rows()) {
          const float* y = rows_.data_ptr<float>() + row * d;
          float sum = 0;
          for (std::int64_t i = 0; i < d; ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
          measured.emplace_back(sum, row);
        }
        std::partial_sort(measured.begin(), measured.begin() + k, measured.end());
        for (std::int64_t i = 0; i < k; ++i) {
          out.distance.data_ptr<float>()[(begin + q) * k + i] = std::sqrt(measured[i].first);
          out.index.data_ptr<std::int64_t>()[(begin + q) * k + i] = measured[i].second;
        }
      }
    });
  }
  return out;
}

}  // namespace glint
