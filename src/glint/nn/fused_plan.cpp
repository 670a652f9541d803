#include "glint/nn/fused_plan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <span>

#include "glint/base/error.h"

namespace glint {
namespace {

using dnnl::memory;

constexpr std::size_t kAlignment = 64;  // bytes: a cache line and a vector register
constexpr float kLargestByte = 255, kLargestSigned = 127;
constexpr int kMiddleByte = 128;  // stands for 0 where values have either sign

std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

dnnl::primitive_attr fused(const dnnl::post_ops& operations = {}) {
  dnnl::primitive_attr out;
  out.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  out.set_post_ops(operations);
  return out;
}

}  // namespace

PackedWeights::PackedWeights(const dnnl::engine& engine, memory::dims shape, std::vector<float> weight,
                             std::vector<float> bias)
    : engine_(engine), shape_(std::move(shape)), values_(std::move(weight)), bias_(std::move(bias)) {}

memory PackedWeights::weight(const memory::desc& layout) {
  const bool bytes = layout.data_type() == memory::data_type::s8;
  if (bytes) quantised();
  const std::lock_guard lock(mutex_);
  for (const memory& packed : packed_) {
    if (packed.get_desc() == layout) return packed;
  }
  void* values = bytes ? static_cast<void*>(quantised_.values.data()) : values_.data();
  memory plain({shape_, bytes ? memory::data_type::s8 : memory::data_type::f32, memory::format_tag::oihw},
               engine_, values);
  memory packed(layout, engine_);
  dnnl::stream stream(engine_);
  dnnl::reorder(plain, packed).execute(stream, plain, packed);
  stream.wait();
  packed_.push_back(packed);
  return packed;
}

const PackedWeights::Quantised& PackedWeights::quantised() {
  std::call_once(quantise_once_, [this] {
    const auto channels = static_cast<std::size_t>(shape_[0]), each = values_.size() / channels;
    for (std::size_t c = 0; c < channels; ++c) {
      const auto row = std::span(values_).subspan(c * each, each);
      float largest = 0;
      for (const float w : row) largest = std::max(largest, std::abs(w));
      const float scale = largest > 0 ? largest / 127 : 1;
      std::int32_t sum = 0;
      for (const float w : row) {
        const auto value = static_cast<std::int8_t>(std::lround(w / scale));
        quantised_.values.push_back(value);
        sum += value;
      }
      quantised_.scales.push_back(scale);
      quantised_.sums.push_back(sum);
    }
  });
  return quantised_;
}

FusedPlan::FusedPlan(const dnnl::engine& engine, const BackboneSpec& spec, const NetWeights& weights,
                     PlanKind kind)
    : engine_(engine), spec_(spec), weights_(weights), kind_(std::move(kind)) {
  type_ = int8()                                    ? memory::data_type::u8
          : kind_.precision == Precision::kBFloat16 ? memory::data_type::bf16
                                                    : memory::data_type::f32;
  border_ = int8() ? static_cast<int>(weights.at("conv1")->shape()[2] / 2) : 0;
  std::size_t x = convolve(add_value({3, kind_.height + 2 * border_, kind_.width + 2 * border_}, type_),
                           "conv1", 2, /*relu=*/true);
  x = pool(x);
  const int deepest = kind_.layers.back();
  for (int layer = 1; layer <= deepest; ++layer) {
    const int blocks = spec.blocks[static_cast<std::size_t>(layer - 1)];
    const Result result = int8() && read(layer) ? Result::kAsFloat : Result::kAsBytes;
    for (int b = 0; b < blocks; ++b) {
      const std::string name = fmt::format("layer{}.{}", layer, b);
      x = block(x, name, b == 0 && layer > 1 ? 2 : 1, b + 1 == blocks ? result : Result::kAsBytes);
    }
    layers_.push_back(x);
    if (result == Result::kAsFloat && layer < deepest) {
      const std::string last = steps_.back().name;
      x = convert(x, memory::data_type::u8, range_of(last).front() / kLargestByte);
    }
  }
  for (int layer = 1; layer <= deepest; ++layer) {
    if (read(layer)) use(layer_value(layer));  // until the end
  }
  place_values();
}

bool FusedPlan::read(int layer) const {
  return std::find(kind_.layers.begin(), kind_.layers.end(), layer) != kind_.layers.end();
}

const std::vector<float>& FusedPlan::range_of(const std::string& name) const {
  const auto it = kind_.ranges->find(name);
  if (it == kind_.ranges->end())
    fail(ErrorCode::kBadInput, "the range of '{}', which int8 needs, is missing", name);
  return it->second;
}

std::size_t FusedPlan::add_value(const Shape& shape, memory::data_type type, float scale, int zero) {
  values_.push_back({{{1, shape.channels, shape.height, shape.width}, type, memory::format_tag::nhwc},
                     shape,
                     scale,
                     zero,
                     steps_.size(),
                     steps_.size()});
  return values_.size() - 1;
}

std::vector<float> FusedPlan::int8_bias(PackedWeights& weights, const Value& from,
                                        const std::vector<float>& to_scales, int to_zero, const Value* added,
                                        dnnl::primitive_attr& attributes) const {
  // With whole sums S, weight scale w and the input's scale i, the result is i w (S - zero sum(weights)) +
  // bias + added; oneDNN computes factor (S + bias') + share of what is added.
  const PackedWeights::Quantised& values = weights.quantised();
  std::vector<float> factors, bias;
  for (std::size_t c = 0; c < values.scales.size(); ++c) {
    const double unit = static_cast<double>(from.scale) * values.scales[c];
    const double to_scale = to_scales[to_scales.size() > 1 ? c : 0];
    double offset = weights.bias()[c] + to_scale * to_zero;
    if (added != nullptr) offset -= static_cast<double>(added->scale) * added->zero;
    factors.push_back(static_cast<float>(unit / to_scale));
    bias.push_back(static_cast<float>(offset / unit - static_cast<double>(from.zero) * values.sums[c]));
  }
  attributes.set_output_scales(/*per output channel*/ 1 << 1, factors);
  return bias;
}

std::size_t FusedPlan::convolve(std::size_t input, const std::string& name, int stride, bool relu,
                                Result kind, std::optional<std::size_t> sum) {
  const auto found = weights_.find(name);
  if (found == weights_.end()) {  // a pair of low rank
    return convolve(convolve(input, name + ".reduce", stride, false), name + ".expand", 1, relu, kind, sum);
  }
  PackedWeights& weights = *found->second;
  const memory::dim out = weights.shape()[0], kernel = weights.shape()[2],
                    padding = input == 0 && border_ > 0 ? 0 : kernel / 2;
  const auto side = [&](std::int64_t n) { return (n + 2 * padding - kernel) / stride + 1; };
  const Value from = values_[input];
  Value to{{}, {out, side(from.shape.height), side(from.shape.width)}, 1, 0, 0, 0, 0};
  std::vector<float> to_scales = {1};
  if (int8() && kind == Result::kAsBytes) {
    to_scales = range_of(name);
    for (float& scale : to_scales) scale /= relu ? kLargestByte : kLargestSigned;
    to.scale = *std::max_element(to_scales.begin(), to_scales.end());
    to.zero = relu ? 0 : kMiddleByte;
  }
  use(input);
  std::optional<Value> added;
  if (sum) added = values_[*sum];
  const std::size_t result =
      sum ? *sum
          : add_value(to.shape, kind == Result::kAsFloat ? memory::data_type::f32 : type_, to.scale, to.zero);
  values_[result].scale = to.scale;
  values_[result].zero = to.zero;
  use(result);

  dnnl::post_ops operations;
  if (sum) operations.append_sum(added->scale / to.scale);
  if (relu) operations.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0, 0);
  dnnl::primitive_attr attributes = fused(operations);
  const std::vector<float> bias =
      int8() ? int8_bias(weights, from, to_scales, to.zero, added ? &*added : nullptr, attributes)
             : weights.bias();
  const memory::desc any(weights.shape(), int8() ? memory::data_type::s8 : type_, memory::format_tag::any),
      bias_layout({out}, memory::data_type::f32, memory::format_tag::a);
  const dnnl::convolution_forward::desc what(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, from.layout, any, bias_layout,
      values_[result].layout, {stride, stride}, {padding, padding}, {padding, padding});
  const dnnl::convolution_forward::primitive_desc how(what, attributes, engine_);
  memory kept_bias(bias_layout, engine_);
  std::memcpy(kept_bias.get_data_handle(), bias.data(), bias.size() * sizeof(float));
  steps_.push_back({name,
                    result,
                    dnnl::convolution_forward(how),
                    {{DNNL_ARG_SRC, input}, {DNNL_ARG_DST, result}},
                    {{DNNL_ARG_WEIGHTS, weights.weight(how.weights_desc())}, {DNNL_ARG_BIAS, kept_bias}},
                    how.scratchpad_desc()});
  return result;
}

std::size_t FusedPlan::pool(std::size_t input) {
  const Value from = values_[input];
  const auto side = [](std::int64_t n) { return (n - 1) / 2 + 1; };
  use(input);
  const std::size_t result = add_value({from.shape.channels, side(from.shape.height), side(from.shape.width)},
                                       type_, from.scale, from.zero);
  const dnnl::pooling_forward::desc what(dnnl::prop_kind::forward_inference, dnnl::algorithm::pooling_max,
                                         from.layout, values_[result].layout, /*strides=*/{2, 2},
                                         /*kernel=*/{3, 3}, /*padding=*/{1, 1}, {1, 1});
  const dnnl::pooling_forward::primitive_desc how(what, fused(), engine_);
  steps_.push_back({"",
                    result,
                    dnnl::pooling_forward(how),
                    {{DNNL_ARG_SRC, input}, {DNNL_ARG_DST, result}},
                    {},
                    how.scratchpad_desc()});
  return result;
}

std::size_t FusedPlan::convert(std::size_t input, memory::data_type type, float scale) {
  const Value from = values_[input];
  GLINT_CHECK(from.zero == 0);
  use(input);
  const std::size_t result = add_value(from.shape, type, scale);
  dnnl::primitive_attr attributes = fused();
  attributes.set_output_scales(0, {from.scale / scale});
  const dnnl::reorder::primitive_desc how(engine_, from.layout, engine_, values_[result].layout, attributes);
  steps_.push_back({"",
                    result,
                    dnnl::reorder(how),
                    {{DNNL_ARG_FROM, input}, {DNNL_ARG_TO, result}},
                    {},
                    how.scratchpad_desc()});
  return result;
}

std::size_t FusedPlan::block(std::size_t input, const std::string& name, int stride, Result kind) {
  std::size_t shortcut = input;
  if (weights_.contains(name + ".downsample.0"))
    shortcut = convolve(input, name + ".downsample.0", stride, false, kind);
  else if (kind == Result::kAsFloat)
    shortcut = convert(input, memory::data_type::f32, 1);
  std::size_t x = convolve(input, name + ".conv1", spec_.bottleneck ? 1 : stride, true);
  if (spec_.bottleneck) x = convolve(x, name + ".conv2", stride, true);
  return convolve(x, name + (spec_.bottleneck ? ".conv3" : ".conv2"), 1, true, kind, shortcut);
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

void FusedPass::run_step(std::size_t step) {
  const Call& call = calls_[step];
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(plan_.steps_[step].primitive.get(), stream_.get(),
                             static_cast<int>(call.arguments.size()), call.arguments.data()),
      "oneDNN could not compute a layer");
}

void FusedPass::run() {
  for (std::size_t i = 0; i < calls_.size(); ++i) run_step(i);
  stream_.wait();
}

void FusedPass::run(
    const std::function<void(const std::string&, const void*, const FusedPlan::Shape&)>& each) {
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    run_step(i);
    stream_.wait();
    const FusedPlan::Step& step = plan_.steps_[i];
    if (!step.name.empty()) each(step.name, at(step.result), plan_.values_[step.result].shape);
  }
}

}  // namespace glint
