// Nearest row of a memory bank for one image's patches: glint's search, the products with every row that it
// replaces (oneDNN; float32, and bfloat16 where the processor has it; the least product is found, nothing is
// measured again) and, where it was there at the build, FAISS, on the same rows in the same run. usage:
// bench_neighbours [MODEL IMAGE...]: the bank of a PatchCore model with the embedding `average`, and thinned
// to a tenth; without a model, random rows, whose time says little, for features are not random. Prints
// medians, the products' rate as the machine's measured peak, the share of queries whose nearest distance is
// right to 1e-4, and the time to prepare the bank.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <oneapi/dnnl/dnnl.hpp>

#include "glint/base/order_statistics.h"
#include "glint/detect/model_file.h"
#include "glint/detect/patch_features.h"
#include "glint/image/codec.h"
#include "glint/nn/backbone.h"
#include "glint/nn/nearest.h"
#include "glint/nn/tensors.h"

#ifdef GLINT_WITH_FAISS
#include <faiss/IndexFlat.h>
#endif

namespace {

constexpr int kRounds = 9;

double median_ms(const std::function<void()>& work, int rounds = kRounds) {
  std::vector<double> times;
  for (int i = -(rounds > 1); i < rounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    if (i >= 0) times.push_back(took.count());
  }
  return glint::median(std::move(times));
}

double share_right(const torch::Tensor& distances, const torch::Tensor& exact) {
  return ((distances - exact).abs() <= 1e-4 * exact).to(torch::kDouble).mean().item<double>();
}

/// Products of queries with all rows, 1024 rows at a time, without what follows from them.
class Products {
 public:
  Products(const torch::Tensor& rows, std::int64_t queries, dnnl::memory::data_type type) {
    using dnnl::memory;
    const std::int64_t d = rows.size(1);
    const memory::desc source({queries, d}, type, memory::format_tag::ab);
    const memory::desc result({queries, kBlock}, memory::data_type::f32, memory::format_tag::ab);
    const memory::desc any({kBlock, d}, type, memory::format_tag::any);
    const dnnl::inner_product_forward::primitive_desc how(
        {dnnl::prop_kind::forward_inference, source, any, result}, engine_);
    product_ = dnnl::inner_product_forward(how);
    source_ = memory(source, engine_);
    result_ = memory(result, engine_);
    for (std::int64_t first = 0; first < rows.size(0); first += kBlock) {
      torch::Tensor block = torch::zeros({kBlock, d});
      const std::int64_t end = std::min(rows.size(0), first + kBlock);
      block.slice(0, 0, end - first).copy_(rows.slice(0, first, end));
      memory plain({{kBlock, d}, memory::data_type::f32, memory::format_tag::ab}, engine_,
                   block.data_ptr<float>());
      weights_.emplace_back(how.weights_desc(), engine_);
      dnnl::reorder(plain, weights_.back()).execute(stream_, plain, weights_.back());
      stream_.wait();
    }
  }
  void operator()() {
    for (const dnnl::memory& weights : weights_) {
      product_.execute(stream_,
                       {{DNNL_ARG_SRC, source_}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, result_}});
      stream_.wait();
    }
  }

 private:
  static constexpr std::int64_t kBlock = 1024;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::inner_product_forward product_;
  dnnl::memory source_, result_;
  std::vector<dnnl::memory> weights_;
};

void measure(const torch::Tensor& rows, const torch::Tensor& queries) {
  const std::int64_t n = rows.size(0), d = rows.size(1), count = queries.size(0);
  std::printf("%lld rows, %lld queries of %lld values\n", static_cast<long long>(n),
              static_cast<long long>(count), static_cast<long long>(d));
  const glint::NearestRows bank(rows);
  const torch::Tensor exact = bank.search_literal(queries).distance.flatten();
  torch::Tensor found;
  const double ms = median_ms([&] { found = bank.search(queries).distance.flatten(); });
  const double prepared = median_ms([&] { const glint::NearestRows again(rows); }, 1);
  const double operations = 2e-9 * static_cast<double>(n * count * d);
  std::printf("  %-36s %8.1f ms   right %.4f   prepared in %.0f ms\n", "glint, exact", ms,
              share_right(found, exact), prepared);
  const auto products = [&](const char* what, dnnl::memory::data_type type) {
    Products all(rows, count, type);
    const double took = median_ms([&] { all(); });
    std::printf("  %-36s %8.1f ms   %.0f GFLOP/s\n", what, took, 1000 * operations / took);
  };
  products("products with every row, float32", dnnl::memory::data_type::f32);
  if (glint::cpu_has_bfloat16()) products("products with every row, bfloat16", dnnl::memory::data_type::bf16);
#ifdef GLINT_WITH_FAISS
  faiss::IndexFlatL2 flat(d);
  flat.add(n, rows.data_ptr<float>());
  torch::Tensor squares = torch::empty({count});
  std::vector<faiss::Index::idx_t> index(static_cast<std::size_t>(count));
  const double took = median_ms(
      [&] { flat.search(count, queries.data_ptr<float>(), 1, squares.data_ptr<float>(), index.data()); });
  std::printf("  %-36s %8.1f ms   right %.4f\n", "FAISS IndexFlatL2", took,
              share_right(squares.sqrt(), exact));
#endif
}

void measure_with_tenth(const torch::Tensor& rows, const torch::Tensor& queries) {
  measure(rows, queries);
  measure(rows.slice(0, 0, rows.size(0), 10).contiguous(), queries);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace glint;
  prepare_runtime();
  const torch::InferenceMode inference;
  if (argc < 3) {
    torch::manual_seed(1);
    measure_with_tenth(torch::randn({41472, 384}), torch::randn({1296, 384}));
    return 0;
  }
  const Model model = load_model(argv[1]);
  Backbone backbone(model.backbone, model.backbone_weights);
  backbone.to(DeviceChoice::kCpu, model.precision.value_or(Precision::kFloat32), model.engine,
              model.activation_ranges);
  const torch::Tensor rows = to_tensor(model.method_weights.at("patchcore.bank")).contiguous();
  for (int i = 2; i < argc; ++i) {
    const auto maps = map_tensors(backbone, {prepare_input(read_image(argv[i]), model.input)}, {2, 3});
    const torch::Tensor joined =
        join_maps({average_neighbourhoods(maps[0]), average_neighbourhoods(maps[1])}, Alignment::kBilinear);
    std::printf("%s\n", argv[i]);
    measure_with_tenth(rows, positions_of(joined).flatten(0, 1));
  }
#ifndef GLINT_WITH_FAISS
  std::printf("FAISS was not there when this was built (Debian: libfaiss-dev)\n");
#endif
}
