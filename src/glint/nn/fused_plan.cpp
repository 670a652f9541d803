#include "glint/nn/fused_plan.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "glint/base/error.h"

namespace glint {
namespace {

using dnnl::memory;

constexpr std::size_t kAlignment = 64;  // bytes: a cache line and a vector register

std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

dnnl::primitive_attr attributes(const dnnl::post_ops& operations = {}) {
  dnnl::primitive_attr out;
  out.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  out.set_post_ops(operations);
  return out;
}

}  // namespace

PackedWeights::PackedWeights(const dnnl::engine& engine, memory::dims shape, std::vector<float> weight,
                             const std::vector<float>& bias)
    : engine_(engine),
      shape_(std::move(shape)),
      values_(std::move(weight)),
      bias_({{shape_[0]}, memory::data_type::f32, memory::format_tag::a}, engine) {
  std::memcpy(bias_.get_data_handle(), bias.data(), bias.size() * sizeof(float));
}

memory PackedWeights::weight(const memory::desc& layout) {
  const std::lock_guard lock(mutex_);
  for (const memory& packed : packed_) {
    if (packed.get_desc() == layout) return packed;
  }
  memory plain({shape_, memory::data_type::f32, memory::format_tag::oihw}, engine_, values_.data());
  memory packed(layout, engine_);
  dnnl::stream stream(engine_);
  dnnl::reorder(plain, packed).execute(stream, plain, packed);
  stream.wait();
  packed_.push_back(packed);
  return packed;
}

FusedPlan::FusedPlan(const dnnl::engine& engine, const BackboneSpec& spec, const NetWeights& weights,
                     memory::data_type type, int width, int height, int deepest)
    : engine_(engine), spec_(spec), weights_(weights), type_(type) {
  std::size_t x = convolve(add_value({3, height, width}), "conv1", 2, /*relu=*/true);
  x = pool(x);
  for (int layer = 1; layer <= deepest; ++layer) {
    for (int b = 0; b < spec.blocks[static_cast<std::size_t>(layer - 1)]; ++b)
      x = block(x, fmt::format("layer{}.{}", layer, b), b == 0 && layer > 1 ? 2 : 1);
    layers_.push_back(x);
  }
  for (const std::size_t layer : layers_) use(layer);  // until the end
  place_values();
}

std::size_t FusedPlan::add_value(const Shape& shape) {
  values_.push_back({{{1, shape.channels, shape.height, shape.width}, type_, memory::format_tag::nhwc},
                     shape,
                     steps_.size(),
                     steps_.size()});
  return values_.size() - 1;
}

std::size_t FusedPlan::convolve(std::size_t input, const std::string& name, int stride, bool relu,
                                std::optional<std::size_t> sum) {
  const auto found = weights_.find(name);
  if (found == weights_.end())  // a pair of low rank
    return convolve(convolve(input, name + ".reduce", stride, false), name + ".expand", 1, relu, sum);
  PackedWeights& weights = *found->second;
  const memory::dim out = weights.shape()[0], kernel = weights.shape()[2], padding = kernel / 2;
  const Shape from = values_[input].shape;
  const auto side = [&](std::int64_t n) { return (n + 2 * padding - kernel) / stride + 1; };
  use(input);
  const std::size_t result = sum ? *sum : add_value({out, side(from.height), side(from.width)});
  use(result);
  dnnl::post_ops operations;
  if (sum) operations.append_sum(1.0F);
  if (relu) operations.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0, 0);
  const memory::desc any(weights.shape(), type_, memory::format_tag::any);
  const dnnl::convolution_forward::desc what(dnnl::prop_kind::forward_inference,
                                             dnnl::algorithm::convolution_direct, values_[input].layout, any,
                                             weights.bias().get_desc(), values_[result].layout,
                                             {stride, stride}, {padding, padding}, {padding, padding});
  const dnnl::convolution_forward::primitive_desc how(what, attributes(operations), engine_);
  steps_.push_back({dnnl::convolution_forward(how),
                    {{DNNL_ARG_SRC, input}, {DNNL_ARG_DST, result}},
                    {{DNNL_ARG_WEIGHTS, weights.weight(how.weights_desc())}, {DNNL_ARG_BIAS, weights.bias()}},
                    how.scratchpad_desc()});
  return result;
}

std::size_t FusedPlan::pool(std::size_t input) {
  const Shape from = values_[input].shape;
  const auto side = [](std::int64_t n) { return (n - 1) / 2 + 1; };
  use(input);
  const std::size_t result = add_value({from.channels, side(from.height), side(from.width)});
  const dnnl::pooling_forward::desc what(dnnl::prop_kind::forward_inference, dnnl::algorithm::pooling_max,
                                         values_[input].layout, values_[result].layout, /*strides=*/{2, 2},
                                         /*kernel=*/{3, 3}, /*padding=*/{1, 1}, {1, 1});
  const dnnl::pooling_forward::primitive_desc how(what, attributes(), engine_);
  steps_.push_back({dnnl::pooling_forward(how),
                    {{DNNL_ARG_SRC, input}, {DNNL_ARG_DST, result}},
                    {},
                    how.scratchpad_desc()});
  return result;
}

std::size_t FusedPlan::block(std::size_t input, const std::string& name, int stride) {
  std::size_t shortcut = input;
  if (weights_.contains(name + ".downsample.0"))
    shortcut = convolve(input, name + ".downsample.0", stride, false);
  std::size_t x = convolve(input, name + ".conv1", spec_.bottleneck ? 1 : stride, true);
  if (spec_.bottleneck) x = convolve(x, name + ".conv2", stride, true);
  return convolve(x, name + (spec_.bottleneck ? ".conv3" : ".conv2"), 1, true, shortcut);
}

void FusedPlan::place_values() {
  // In the order of their first step, each at the lowest place that no value in use at the same time takes.
  for (std::size_t i = 0; i < values_.size(); ++i) {
    Value& value = values_[i];
    const std::size_t size = aligned(value.layout.get_size());
    std::vector<std::pair<std::size_t, std::size_t>> taken;
    for (std::size_t j = 0; j < i; ++j) {
      const Value& other = values_[j];
      if (other.first_step <= value.last_step && value.first_step <= other.last_step)
        taken.emplace_back(other.offset, other.offset + aligned(other.layout.get_size()));
    }
    std::sort(taken.begin(), taken.end());
    for (const auto& [begin, end] : taken) {
      if (value.offset + size <= begin) break;
      value.offset = std::max(value.offset, end);
    }
    scratchpad_at_ = std::max(scratchpad_at_, value.offset + size);
  }
  bytes_ = scratchpad_at_;
  for (const Step& step : steps_)
    bytes_ = std::max(bytes_, scratchpad_at_ + aligned(step.scratchpad.get_size()));
}

FusedPass::FusedPass(const FusedPlan& plan)
    : plan_(plan), stream_(plan.engine_), memory_(std::aligned_alloc(kAlignment, plan.bytes_)) {
  if (!memory_) throw std::bad_alloc();
  for (const FusedPlan::Step& step : plan.steps_) {
    Call call;
    const auto add = [&call](int argument, memory m) {
      call.arguments.push_back({argument, m.get()});
      call.memories.push_back(std::move(m));
    };
    for (const auto& [argument, value] : step.values)
      add(argument, memory(plan.values_[value].layout, plan.engine_, at(value)));
    for (const auto& [argument, weights] : step.constants) add(argument, weights);
    add(DNNL_ARG_SCRATCHPAD,
        memory(step.scratchpad, plan.engine_, static_cast<char*>(memory_.get()) + plan.scratchpad_at_));
    calls_.push_back(std::move(call));
  }
}

void FusedPass::run() {
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    const Call& call = calls_[i];
    dnnl::error::wrap_c_api(
        dnnl_primitive_execute(plan_.steps_[i].primitive.get(), stream_.get(),
                               static_cast<int>(call.arguments.size()), call.arguments.data()),
        "oneDNN could not compute a layer");
  }
  stream_.wait();
}

}  // namespace glint
