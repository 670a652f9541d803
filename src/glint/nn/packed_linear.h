// A linear map y = W x + b by oneDNN, its weights packed once. Free of libtorch.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "glint/nn/precision.h"

namespace glint {

/// Const methods may run from several threads.
class PackedLinear {
 public:
  /// weight [outputs, inputs] row-major; bias [outputs], or empty. precision: float32, or bfloat16 with sums
  /// in float32.
  PackedLinear(std::span<const float> weight, std::int64_t outputs, std::int64_t inputs,
               std::span<const float> bias, Precision precision);
  ~PackedLinear();
  PackedLinear(PackedLinear&&) noexcept;
  PackedLinear& operator=(PackedLinear&&) noexcept;

  /// x [rows, inputs] float32, or bfloat16 for that precision -> y [rows, outputs] float32. On the caller's
  /// OpenMP threads.
  void run(const void* x, std::int64_t rows, float* y) const;

  std::int64_t inputs() const;
  std::int64_t outputs() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace glint
