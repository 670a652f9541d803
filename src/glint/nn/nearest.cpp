#include "glint/nn/nearest.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <oneapi/dnnl/dnnl.hpp>

#include "glint/base/error.h"
#include "glint/nn/nearest_kernels.h"
#include "glint/nn/openmp_threads.h"

namespace glint {
namespace {

using dnnl::memory;

constexpr std::int64_t kBlockRows = 1024;  // of the bank per product: keys and products stay in the cache
constexpr std::int64_t kQueries = 128;     // per product
constexpr std::int64_t kSpare = 4;         // candidates beyond k that are measured again
static_assert(kBlockRows % kLeastOf == 0);

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
  void clear() {
    std::fill(values_.begin(), values_.end(), std::numeric_limits<float>::infinity());
    std::fill(rows_.begin(), rows_.end(), 0);
  }
  const std::vector<std::int64_t>& rows() const { return rows_; }

 private:
  std::vector<float> values_;
  std::vector<std::int64_t> rows_;
};

/// One query's values for rows first .. first + n of the bank.
void collect(const float* values, std::int64_t first, std::int64_t n, Candidates& best) {
  for (std::int64_t g = 0; g < n; g += kLeastOf) {
    if (!(least_of(values + g) < best.worst())) continue;
    for (std::int64_t i = g; i < std::min(n, g + kLeastOf); ++i) {
      if (values[i] < best.worst()) best.insert(values[i], first + i);
    }
  }
}

}  // namespace

/// The bank, centred and negated, as the weights of a fully connected layer whose bias is half the squared
/// length of each row: a query's outputs are half the squared distances less the query's own part.
struct NearestRows::Keys {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  memory::desc query_layout, product_layout, scratchpad_layout;
  dnnl::inner_product_forward product;
  std::vector<std::pair<memory, memory>> blocks;  ///< weights and bias of kBlockRows rows each

  Keys(const torch::Tensor& rows, const torch::Tensor& mean, Precision precision) {
    const std::int64_t n = rows.size(0), d = rows.size(1);
    const auto type = precision == Precision::kBFloat16 ? memory::data_type::bf16 : memory::data_type::f32;
    query_layout = {{kQueries, d}, type, memory::format_tag::ab};
    product_layout = {{kQueries, kBlockRows}, memory::data_type::f32, memory::format_tag::ab};
    const memory::desc bias_layout({kBlockRows}, memory::data_type::f32, memory::format_tag::a);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const OpenMpThreads one(1);  // a search gives each thread queries of its own
    const dnnl::inner_product_forward::desc what(dnnl::prop_kind::forward_inference, query_layout,
                                                 memory::desc({kBlockRows, d}, type, memory::format_tag::any),
                                                 bias_layout, product_layout);
    const dnnl::inner_product_forward::primitive_desc how(what, attributes, engine);
    product = dnnl::inner_product_forward(how);
    scratchpad_layout = how.scratchpad_desc();

    dnnl::stream stream(engine);
    memory plain({{kBlockRows, d}, memory::data_type::f32, memory::format_tag::ab}, engine);
    auto* negated = static_cast<float*>(plain.get_data_handle());
    const float *x = rows.data_ptr<float>(), *m = mean.data_ptr<float>();
    for (std::int64_t first = 0; first < n; first += kBlockRows) {
      memory weights(how.weights_desc(), engine), bias(bias_layout, engine);
      auto* half_squares = static_cast<float*>(bias.get_data_handle());
      for (std::int64_t r = 0; r < kBlockRows; ++r) {
        float* row = negated + r * d;
        if (first + r >= n) {  // no row: never the nearest
          std::fill_n(row, d, 0.0F);
          half_squares[r] = std::numeric_limits<float>::infinity();
          continue;
        }
        double squares = 0;
        for (std::int64_t i = 0; i < d; ++i) {
          row[i] = m[i] - x[(first + r) * d + i];
          squares += static_cast<double>(row[i]) * row[i];
        }
        half_squares[r] = static_cast<float>(0.5 * squares);
      }
      dnnl::reorder(plain, weights).execute(stream, plain, weights);
      stream.wait();
      blocks.emplace_back(std::move(weights), std::move(bias));
    }
  }
};

NearestRows::NearestRows(torch::Tensor rows, Precision precision) : rows_(std::move(rows)) {
  GLINT_CHECK(rows_.dim() == 2 && rows_.size(0) > 0 && rows_.scalar_type() == torch::kFloat &&
              precision != Precision::kAuto);
  const torch::InferenceMode inference;
  rows_ = rows_.contiguous();
  mean_ = rows_.mean(0);
  keys_ = std::make_shared<const Keys>(rows_, mean_, precision);
}

NearestResult NearestRows::search(const torch::Tensor& queries, std::int64_t k) const {
  GLINT_CHECK(queries.dim() == 2 && queries.size(1) == width() && k >= 1 && k <= size());
  const torch::InferenceMode inference;
  const std::int64_t total = queries.size(0), d = width(), room = std::min(size(), k + kSpare);
  NearestResult out{torch::empty({total, k}, torch::kLong), torch::empty({total, k}, torch::kFloat)};
  const torch::Tensor all = queries.contiguous();
  const float *x = all.data_ptr<float>(), *bank = rows_.data_ptr<float>(), *mean = mean_.data_ptr<float>();
  auto* index = out.index.data_ptr<std::int64_t>();
  auto* distance = out.distance.data_ptr<float>();
  const Keys& keys = *keys_;
  const bool rounded = keys.query_layout.data_type() == memory::data_type::bf16;
#pragma omp parallel
  {
    dnnl::stream stream(keys.engine);
    const memory centred(keys.query_layout, keys.engine), products(keys.product_layout, keys.engine),
        scratchpad(keys.scratchpad_layout, keys.engine);
    const auto* values = static_cast<const float*>(products.get_data_handle());
    std::vector<Candidates> best(static_cast<std::size_t>(kQueries), Candidates(room));
    std::vector<std::pair<float, std::int64_t>> measured;
#pragma omp for schedule(dynamic)
    for (std::int64_t begin = 0; begin < total; begin += kQueries) {
      const std::int64_t count = std::min(kQueries, total - begin);
      for (std::int64_t q = 0; q < count; ++q) {
        const float* query = x + (begin + q) * d;
        if (rounded)
          centre_row(query, mean, d, static_cast<std::uint16_t*>(centred.get_data_handle()) + q * d);
        else
          centre_row(query, mean, d, static_cast<float*>(centred.get_data_handle()) + q * d);
        best[static_cast<std::size_t>(q)].clear();
      }
      for (std::size_t b = 0; b < keys.blocks.size(); ++b) {
        const std::int64_t first = static_cast<std::int64_t>(b) * kBlockRows;
        const auto& [weights, bias] = keys.blocks[b];
        keys.product.execute(stream, {{DNNL_ARG_SRC, centred},
                                      {DNNL_ARG_WEIGHTS, weights},
                                      {DNNL_ARG_BIAS, bias},
                                      {DNNL_ARG_DST, products},
                                      {DNNL_ARG_SCRATCHPAD, scratchpad}});
        stream.wait();
        for (std::int64_t q = 0; q < count; ++q)
          collect(values + q * kBlockRows, first, std::min(kBlockRows, size() - first),
                  best[static_cast<std::size_t>(q)]);
      }
      for (std::int64_t q = 0; q < count; ++q) {
        // Measured again in float32 from the differences; ties go to the lower row.
        measured.clear();
        for (const std::int64_t row : best[static_cast<std::size_t>(q)].rows())
          measured.emplace_back(squared_distance(x + (begin + q) * d, bank + row * d, d), row);
        std::partial_sort(measured.begin(), measured.begin() + k, measured.end());
        for (std::int64_t i = 0; i < k; ++i) {
          distance[(begin + q) * k + i] = std::sqrt(measured[static_cast<std::size_t>(i)].first);
          index[(begin + q) * k + i] = measured[static_cast<std::size_t>(i)].second;
        }
      }
    }
  }
  return out;
}

}  // namespace glint
