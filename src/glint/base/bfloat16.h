// bfloat16 in memory: the upper half of a float.
#pragma once

#include <bit>
#include <cstdint>

namespace glint {

/// To nearest, ties to even. A value that is not a number need not stay one.
constexpr std::uint16_t float_to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

constexpr float bfloat16_to_float(std::uint16_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

}  // namespace glint
