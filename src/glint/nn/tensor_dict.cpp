#include "glint/nn/tensor_dict.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "glint/base/bfloat16.h"
#include "glint/base/error.h"

namespace glint {

std::size_t dtype_bytes(DType dtype) {
  switch (dtype) {
    case DType::kF64:
    case DType::kI64:
      return 8;
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kF16:
    case DType::kBF16:
    case DType::kI16:
      return 2;
    default:
      return 1;
  }
}

std::string_view dtype_name(DType dtype) {
  static constexpr std::string_view kNames[] = {"F64", "F32", "F16", "BF16", "I64",
                                                "I32", "I16", "I8",  "U8",   "BOOL"};
  return kNames[static_cast<int>(dtype)];
}

bool is_floating(DType dtype) {
  return dtype == DType::kF64 || dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

std::int64_t checked_numel(const std::vector<std::int64_t>& shape, const std::string& name) {
  constexpr std::int64_t kLimit = std::int64_t{1} << 40;
  constexpr std::size_t kMaxDimensions = 16;
  if (shape.size() > kMaxDimensions)
    fail(ErrorCode::kBadInput, "tensor '{}': {} dimensions are not possible", name, shape.size());
  std::int64_t n = 1;
  bool empty = false;
  for (const std::int64_t s : shape) {
    if (s < 0 || s > kLimit) fail(ErrorCode::kBadInput, "tensor '{}': size {} is not possible", name, s);
    empty = empty || s == 0;
    if (s > 0 && n > kLimit / s)
      fail(ErrorCode::kBadInput, "tensor '{}': more elements than any model has", name);
    n *= std::max<std::int64_t>(1, s);
  }
  return empty ? 0 : n;
}

namespace {

/// An exponent of all ones is infinity or NaN in every IEEE format.
template <class T>
bool exponents_finite(const HostTensor& tensor, T exponent) {
  for (std::size_t at = 0; at + sizeof(T) <= tensor.data.size(); at += sizeof(T)) {
    T bits;
    std::memcpy(&bits, &tensor.data[at], sizeof(T));
    if ((bits & exponent) == exponent) return false;
  }
  return true;
}

}  // namespace

bool all_finite(const HostTensor& tensor) {
  switch (tensor.dtype) {
    case DType::kF64:
      for (std::size_t at = 0; at + sizeof(double) <= tensor.data.size(); at += sizeof(double)) {
        double value;
        std::memcpy(&value, &tensor.data[at], sizeof(double));
        if (!(std::fabs(value) <= std::numeric_limits<float>::max())) return false;
      }
      return true;
    case DType::kF32:
      return exponents_finite<std::uint32_t>(tensor, 0x7f80'0000U);
    case DType::kF16:
      return exponents_finite<std::uint16_t>(tensor, 0x7c00U);
    case DType::kBF16:
      return exponents_finite<std::uint16_t>(tensor, 0x7f80U);
    default:
      return true;
  }
}

std::int64_t HostTensor::numel() const {
  return checked_numel(shape, "");
}

const HostTensor& require_tensor(const TensorDict& tensors, const std::string& name,
                                 const std::vector<std::int64_t>& shape, const std::string& file) {
  const HostTensor& tensor = require_tensor(tensors, name, file);
  if (tensor.shape != shape) {
    fail(ErrorCode::kBadInput, "{}: tensor '{}' has shape [{}], [{}] is needed", file, name,
         fmt::join(tensor.shape, ", "), fmt::join(shape, ", "));
  }
  return tensor;
}

void add_prefixed(TensorDict& out, const std::string& prefix, const TensorDict& part) {
  for (const auto& [name, tensor] : part) out[prefix + name] = tensor;
}

TensorDict take_prefixed(const TensorDict& all, const std::string& prefix) {
  TensorDict out;
  for (const auto& [name, tensor] : all) {
    if (name.starts_with(prefix)) out[name.substr(prefix.size())] = tensor;
  }
  return out;
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16, exponent = (half >> 10) & 31, mantissa = half & 1023;
  if (exponent == 0) {
    const float value = std::ldexp(static_cast<float>(mantissa), -24);
    return sign ? -value : value;
  }
  const std::uint32_t bits =
      exponent == 31 ? 0x7f800000U | (mantissa << 13) : ((exponent + 112) << 23) | (mantissa << 13);
  return std::bit_cast<float>(sign | bits);
}

std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) return sign | 0x7e00U;
  if (magnitude >= 65520.0F) return sign | 0x7c00U;
  if (magnitude < 0x1p-14F) {  // subnormal: units of 2^-24
    return sign | static_cast<std::uint16_t>(std::nearbyint(std::ldexp(magnitude, 24)));
  }
  const std::uint32_t m = bits & 0x7fffffffU;
  const std::uint32_t rounded = m + 0xfffU + ((m >> 13) & 1U);
  return sign | static_cast<std::uint16_t>((rounded >> 13) - (112U << 10));
}

std::vector<float> to_floats(const HostTensor& tensor) {
  const auto n = static_cast<std::size_t>(tensor.numel());
  GLINT_CHECK(tensor.data.size() == n * dtype_bytes(tensor.dtype));
  std::vector<float> out(n);
  const std::byte* p = tensor.data.data();
  auto read = [p]<class T>(std::size_t i, T) {
    T v;
    std::memcpy(&v, p + i * sizeof(T), sizeof(T));
    return v;
  };
  for (std::size_t i = 0; i < n; ++i) {
    switch (tensor.dtype) {
      case DType::kF32:
        out[i] = read(i, float{});
        break;
      case DType::kF64:
        out[i] = static_cast<float>(read(i, double{}));
        break;
      case DType::kF16:
        out[i] = half_to_float(read(i, std::uint16_t{}));
        break;
      case DType::kBF16:
        out[i] = bfloat16_to_float(read(i, std::uint16_t{}));
        break;
      default:
        fail(ErrorCode::kBadInput, "a tensor of type {} where floating point is needed",
             dtype_name(tensor.dtype));
    }
  }
  return out;
}

HostTensor from_floats(const std::vector<float>& values, std::vector<std::int64_t> shape, DType dtype) {
  HostTensor out{dtype, std::move(shape), Bytes(values.size() * dtype_bytes(dtype))};
  GLINT_CHECK(out.numel() == static_cast<std::int64_t>(values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::kF16) {
      const std::uint16_t h = float_to_half(values[i]);
      std::memcpy(&out.data[2 * i], &h, 2);
    } else {
      GLINT_CHECK(dtype == DType::kF32);
      std::memcpy(&out.data[4 * i], &values[i], 4);
    }
  }
  return out;
}

const HostTensor& require_tensor(const TensorDict& tensors, const std::string& name,
                                 const std::string& file) {
  const auto it = tensors.find(name);
  if (it == tensors.end()) fail(ErrorCode::kBadInput, "{}: tensor '{}' is missing", file, name);
  return it->second;
}

}  // namespace glint
