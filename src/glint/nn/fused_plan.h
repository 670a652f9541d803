// The steps of a network for one size of input, and where in one block of memory each value lies. Private to
// nn/fused_net.cpp.
#pragma once

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "glint/nn/backbone_spec.h"

namespace glint {

/// A convolution's weights, in each layout that a plan asked for. Thread-safe.
class PackedWeights {
 public:
  /// shape: [out, in, kernel, kernel]; weight: row-major; bias: [out].
  PackedWeights(const dnnl::engine& engine, dnnl::memory::dims shape, std::vector<float> weight,
                const std::vector<float>& bias);

  const dnnl::memory::dims& shape() const { return shape_; }
  dnnl::memory weight(const dnnl::memory::desc& layout);
  const dnnl::memory& bias() const { return bias_; }

 private:
  dnnl::engine engine_;
  dnnl::memory::dims shape_;
  std::vector<float> values_;
  dnnl::memory bias_;
  std::mutex mutex_;
  std::vector<dnnl::memory> packed_;
};

using NetWeights = std::map<std::string, std::unique_ptr<PackedWeights>>;

/// Immutable. Made for as many OpenMP threads as the caller has then, and to be run with as many.
class FusedPlan {
 public:
  /// Of one image of `type`, channels last, up to layer `deepest` (1 to 3).
  FusedPlan(const dnnl::engine& engine, const BackboneSpec& spec, const NetWeights& weights,
            dnnl::memory::data_type type, int width, int height, int deepest);

  struct Shape {
    std::int64_t channels = 0, height = 0, width = 0;
    std::int64_t elements() const { return channels * height * width; }
  };
  const Shape& layer_shape(int layer) const { return values_[layer_value(layer)].shape; }

 private:
  friend class FusedPass;
  struct Value {
    dnnl::memory::desc layout;
    Shape shape;
    std::size_t first_step = 0, last_step = 0;  ///< between which its memory is in use, both included
    std::size_t offset = 0;                     ///< in the memory of a pass
  };
  struct Step {
    dnnl::primitive primitive;
    std::vector<std::pair<int, std::size_t>> values;      ///< oneDNN's argument, index into values_
    std::vector<std::pair<int, dnnl::memory>> constants;  ///< oneDNN's argument, weights
    dnnl::memory::desc scratchpad;
  };

  std::size_t layer_value(int layer) const { return layers_[static_cast<std::size_t>(layer - 1)]; }
  std::size_t add_value(const Shape& shape);
  void use(std::size_t value) { values_[value].last_step = steps_.size(); }
  /// With `sum`, the result is added to that value and takes its place.
  std::size_t convolve(std::size_t input, const std::string& name, int stride, bool relu,
                       std::optional<std::size_t> sum = std::nullopt);
  std::size_t pool(std::size_t input);
  std::size_t block(std::size_t input, const std::string& name, int stride);
  void place_values();

  const dnnl::engine& engine_;
  const BackboneSpec& spec_;
  const NetWeights& weights_;
  dnnl::memory::data_type type_;
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

  /// Where the normalised image goes: [height, width, 3] of the plan's type.
  void* input() const { return at(0); }
  void run();
  /// [height, width, channels] of the plan's type; valid until the next run.
  const void* layer(int layer) const { return at(plan_.layer_value(layer)); }

 private:
  struct Call {
    std::vector<dnnl::memory> memories;  ///< own the handles in `arguments`
    std::vector<dnnl_exec_arg_t> arguments;
  };
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };

  void* at(std::size_t value) const {
    return static_cast<char*>(memory_.get()) + plan_.values_[value].offset;
  }

  const FusedPlan& plan_;
  dnnl::stream stream_;
  std::unique_ptr<void, Free> memory_;
  std::vector<Call> calls_;
};

}  // namespace glint
