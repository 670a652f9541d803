// The steps of a network for one size of input, and where in one block of memory each value lies. Private to
// nn/fused_net.cpp.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "glint/nn/activation_ranges.h"
#include "glint/nn/backbone_spec.h"
#include "glint/nn/precision.h"

namespace glint {

/// A convolution's weights, in each layout that a plan asked for. Thread-safe.
class PackedWeights {
 public:
  /// shape: [out, in, kernel, kernel]; weight: row-major; bias: [out].
  PackedWeights(const dnnl::engine& engine, dnnl::memory::dims shape, std::vector<float> weight,
                std::vector<float> bias);

  const dnnl::memory::dims& shape() const { return shape_; }
  /// In the layout's type: float32, bfloat16, or quantised() for int8.
  dnnl::memory weight(const dnnl::memory::desc& layout);
  const std::vector<float>& bias() const { return bias_; }

  /// Whole numbers from -127 to 127, one scale per output channel: weight = scale * value.
  struct Quantised {
    std::vector<std::int8_t> values;
    std::vector<float> scales;       ///< [out]
    std::vector<std::int32_t> sums;  ///< [out]: of a channel's values
  };
  const Quantised& quantised();

 private:
  dnnl::engine engine_;
  dnnl::memory::dims shape_;
  std::vector<float> values_, bias_;
  std::once_flag quantise_once_;
  Quantised quantised_;
  std::mutex mutex_;
  std::vector<dnnl::memory> packed_;
};

using NetWeights = std::map<std::string, std::unique_ptr<PackedWeights>>;

/// What a plan computes, and in which numbers.
struct PlanKind {
  Precision precision = Precision::kFloat32;
  /// int8: what each convolution's result is taken to reach, by the convolution's name; nullptr otherwise.
  const ActivationRanges* ranges = nullptr;
  int width = 0, height = 0;
  std::vector<int> layers;  ///< ascending, of 1 to 3: those that are read
};

/// Immutable. Made for as many OpenMP threads as the caller has then, and to be run with as many.
///
/// int8: every value between two steps is a byte, value = scale * (byte - zero). The zero is 0 behind a ReLU
/// (scale = range / 255) and 128 elsewhere (range / 127). Weights have a scale per output channel, sums are
/// whole numbers of 32 bits, and all scales, zeros and the bias become one factor and one offset per output
/// channel. Inside a low-rank pair each channel has its own scale, and the second half's weights (already
/// multiplied by the channel's range over the largest) make up for it. The layers that are read are computed
/// to float32 from those sums.
class FusedPlan {
 public:
  /// Error(kBadInput) when a range is missing.
  FusedPlan(const dnnl::engine& engine, const BackboneSpec& spec, const NetWeights& weights, PlanKind kind);

  struct Shape {
    std::int64_t channels = 0, height = 0, width = 0;
    std::int64_t elements() const { return channels * height * width; }
  };
  const Shape& layer_shape(int layer) const { return values_[layer_value(layer)].shape; }
  /// Pixels that the input has more at each side than the image: int8 takes the picture's own bytes, whose
  /// border is the mean grey and not zero.
  int border() const { return border_; }

 private:
  friend class FusedPass;
  struct Value {
    dnnl::memory::desc layout;
    Shape shape;
    float scale = 1;                            ///< int8
    int zero = 0;                               ///< int8
    std::size_t first_step = 0, last_step = 0;  ///< between which its memory is in use, both included
    std::size_t offset = 0;                     ///< in the memory of a pass
  };
  struct Step {
    std::string name;  ///< of a convolution's weights; empty for other steps
    std::size_t result = 0;
    dnnl::primitive primitive;
    std::vector<std::pair<int, std::size_t>> values;      ///< oneDNN's argument, index into values_
    std::vector<std::pair<int, dnnl::memory>> constants;  ///< oneDNN's argument, weights
    dnnl::memory::desc scratchpad;
  };

  std::size_t layer_value(int layer) const { return layers_[static_cast<std::size_t>(layer - 1)]; }
  bool int8() const { return kind_.precision == Precision::kInt8; }
  bool read(int layer) const;
  std::size_t add_value(const Shape& shape, dnnl::memory::data_type type, float scale = 1, int zero = 0);
  void use(std::size_t value) { values_[value].last_step = steps_.size(); }
  const std::vector<float>& range_of(const std::string& name) const;
  /// Where a convolution's result goes.
  enum class Result { kAsBytes, kAsFloat };  ///< alike but for int8
  /// With `sum`, the result is added to that value and takes its place.
  std::size_t convolve(std::size_t input, const std::string& name, int stride, bool relu,
                       Result kind = Result::kAsBytes, std::optional<std::size_t> sum = std::nullopt);
  /// The convolution's factors and bias where its input, and perhaps its result, is bytes.
  std::vector<float> int8_bias(PackedWeights& weights, const Value& from, const std::vector<float>& to_scales,
                               int to_zero, const Value* added, dnnl::primitive_attr& attributes) const;
  std::size_t pool(std::size_t input);
  std::size_t block(std::size_t input, const std::string& name, int stride, Result kind);
  /// The same numbers as another type: bytes as float32 (less their zero's share), or float32 as bytes.
  std::size_t convert(std::size_t input, dnnl::memory::data_type type, float scale);
  void place_values();

  const dnnl::engine& engine_;
  const BackboneSpec& spec_;
  const NetWeights& weights_;
  PlanKind kind_;
  dnnl::memory::data_type type_;  ///< of values between steps
  int border_ = 0;
  std::vector<Value> values_;  ///< the first is the input
  std::vector<Step> steps_;
  std::vector<std::size_t> layers_;
  std::size_t bytes_ = 0;  ///< of all values, then the largest scratchpad
  std::size_t scratchpad_at_ = 0;
};

/// The memory of one pass through a plan, which must outlive it.
class FusedPass {
 public:
  explicit FusedPass(const FusedPlan& plan);

  /// Where the image goes: normalised, [height, width, 3] of the plan's type; for int8 its bytes with the
  /// plan's border, filled by kMeanLevels.
  void* input() const { return at(0); }
  void run();
  /// Also calls `each` after every convolution with its weights' name and its result, [height, width,
  /// channels] of the plan's type.
  void run(
      const std::function<void(const std::string& name, const void* result, const FusedPlan::Shape&)>& each);
  /// [height, width, channels] of the plan's type, float32 for int8; valid until the next run.
  const void* layer(int layer) const { return at(plan_.layer_value(layer)); }

 private:
  struct Call {
    std::vector<dnnl::memory> memories;  ///< own the handles in `arguments`
    std::vector<dnnl_exec_arg_t> arguments;
  };
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };

  void run_step(std::size_t step);
  void* at(std::size_t value) const {
    return static_cast<char*>(memory_.get()) + plan_.values_[value].offset;
  }

  const FusedPlan& plan_;
  dnnl::stream stream_;
  std::unique_ptr<void, Free> memory_;
  std::vector<Call> calls_;
};

}  // namespace glint
