#include "glint/nn/packed_linear.h"

#include <omp.h>

#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>

#include "glint/base/error.h"
#include "glint/base/object_pool.h"

namespace glint {
namespace {

using dnnl::memory;

/// The product for one number of rows and of threads, with weights in the layout that it asked for.
struct Product {
  dnnl::matmul::primitive_desc description;
  dnnl::matmul primitive;
  memory weight;
};

}  // namespace

struct PackedLinear::State {
  std::int64_t outputs, inputs;
  memory::data_type type;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  std::vector<float> weight, bias;
  std::mutex mutex;
  std::map<std::pair<std::int64_t, int>, Product> products;  ///< by rows and threads
  ObjectPool<std::vector<std::byte>> scratchpads;

  const Product& product_of(std::int64_t rows) {
    const std::lock_guard lock(mutex);
    const std::pair key(rows, omp_get_max_threads());
    if (const auto found = products.find(key); found != products.end()) return found->second;
    const memory::desc x({rows, inputs}, type, memory::format_tag::ab),
        w({inputs, outputs}, type, memory::format_tag::any),
        y({rows, outputs}, memory::data_type::f32, memory::format_tag::ab);
    const dnnl::matmul::desc operation =
        bias.empty()
            ? dnnl::matmul::desc(x, w, y)
            : dnnl::matmul::desc(
                  x, w, memory::desc({1, outputs}, memory::data_type::f32, memory::format_tag::ab), y);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::matmul::primitive_desc description(operation, attributes, engine);
    memory packed(description.weights_desc(), engine);
    memory plain({{inputs, outputs}, memory::data_type::f32, memory::format_tag::ba}, engine, weight.data());
    dnnl::stream stream(engine);
    dnnl::reorder(plain, packed).execute(stream, plain, packed);
    stream.wait();
    return products.emplace(key, Product{description, dnnl::matmul(description), packed}).first->second;
  }
};

PackedLinear::PackedLinear(std::span<const float> weight, std::int64_t outputs, std::int64_t inputs,
                           std::span<const float> bias, Precision precision)
    : state_(new State{outputs,
                       inputs,
                       precision == Precision::kBFloat16 ? memory::data_type::bf16 : memory::data_type::f32,
                       {dnnl::engine::kind::cpu, 0},
                       {weight.begin(), weight.end()},
                       {bias.begin(), bias.end()},
                       {},
                       {},
                       {}}) {
  GLINT_CHECK(precision == Precision::kFloat32 || precision == Precision::kBFloat16);
  GLINT_CHECK(std::ssize(weight) == outputs * inputs && (bias.empty() || std::ssize(bias) == outputs));
}

PackedLinear::~PackedLinear() = default;
PackedLinear::PackedLinear(PackedLinear&&) noexcept = default;
PackedLinear& PackedLinear::operator=(PackedLinear&&) noexcept = default;

std::int64_t PackedLinear::inputs() const {
  return state_->inputs;
}
std::int64_t PackedLinear::outputs() const {
  return state_->outputs;
}

void PackedLinear::run(const void* x, std::int64_t rows, float* y) const {
  State& state = *state_;
  const Product& product = state.product_of(rows);
  const auto scratchpad = state.scratchpads.take([] { return std::make_unique<std::vector<std::byte>>(); });
  scratchpad->resize(product.description.scratchpad_desc().get_size());
  const auto wrap = [&](const memory::desc& description, const void* data) {
    return memory(description, state.engine, const_cast<void*>(data));  // NOLINT: oneDNN has no const memory
  };
  dnnl_exec_arg_t arguments[5];
  int count = 0;
  const memory source = wrap(product.description.src_desc(), x),
               result = wrap(product.description.dst_desc(), y),
               scratch = wrap(product.description.scratchpad_desc(), scratchpad->data());
  memory offset;
  arguments[count++] = {DNNL_ARG_SRC, source.get()};
  arguments[count++] = {DNNL_ARG_WEIGHTS, product.weight.get()};
  arguments[count++] = {DNNL_ARG_DST, result.get()};
  arguments[count++] = {DNNL_ARG_SCRATCHPAD, scratch.get()};
  if (!state.bias.empty()) {
    offset = wrap(product.description.bias_desc(), state.bias.data());
    arguments[count++] = {DNNL_ARG_BIAS, offset.get()};
  }
  dnnl::stream stream(state.engine);
  dnnl::error::wrap_c_api(dnnl_primitive_execute(product.primitive.get(), stream.get(), count, arguments),
                          "a product failed");
  stream.wait();
}

}  // namespace glint
