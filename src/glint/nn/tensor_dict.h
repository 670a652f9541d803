// Named tensors in host memory, as weight and model files hold them. Not for computing: nn/tensors.h turns
// them into libtorch tensors. Free of libtorch, so that every tool can read files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "glint/base/files.h"

namespace glint {

enum class DType { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

std::size_t dtype_bytes(DType dtype);
std::string_view dtype_name(DType dtype);  ///< safetensors' names: "F32", "BF16", ...

bool is_floating(DType dtype);

/// Dense row-major tensor, little-endian.
struct HostTensor {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  Bytes data;

  std::int64_t numel() const;
};

using TensorDict = std::map<std::string, HostTensor>;

/// One tensor of a network: name and the shape it must have.
struct TensorShape {
  std::string name;
  std::vector<std::int64_t> shape;
};

/// Product of the sizes; Error(kBadInput) naming `name` for more than 16 sizes, negative ones, or more than
/// 2^40 elements (sizes of 0 count as 1 there: strides follow from them).
std::int64_t checked_numel(const std::vector<std::int64_t>& shape, const std::string& name);

/// False when a value of a floating type is NaN or infinite as float32; other types are always finite.
bool all_finite(const HostTensor& tensor);

/// Values as float, from any floating type.
std::vector<float> to_floats(const HostTensor& tensor);
HostTensor from_floats(const std::vector<float>& values, std::vector<std::int64_t> shape,
                       DType dtype = DType::kF32);

/// The tensor called `name`; Error(kBadInput) says that it is missing from `file`.
const HostTensor& require_tensor(const TensorDict& tensors, const std::string& name, const std::string& file);

/// The same, and it must have that shape; the error names both shapes.
const HostTensor& require_tensor(const TensorDict& tensors, const std::string& name,
                                 const std::vector<std::int64_t>& shape, const std::string& file);

/// Adds every tensor of `part` as prefix + name.
void add_prefixed(TensorDict& out, const std::string& prefix, const TensorDict& part);
/// The tensors whose names start with `prefix`, without it.
TensorDict take_prefixed(const TensorDict& all, const std::string& prefix);

float half_to_float(std::uint16_t half);
std::uint16_t float_to_half(float value);  ///< round to nearest even, overflow to infinity

}  // namespace glint
