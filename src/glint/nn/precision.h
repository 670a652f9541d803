// Where tensors run and in which numbers products are computed, as options name them. Free of libtorch;
// nn/runtime.h decides what suits a machine.
#pragma once

#include "glint/base/options.h"

namespace glint {

enum class DeviceChoice { kAuto, kCpu, kCuda };
template <>
struct EnumNames<DeviceChoice> {
  static constexpr std::pair<DeviceChoice, std::string_view> table[] = {
      {DeviceChoice::kAuto, "auto"}, {DeviceChoice::kCpu, "cpu"}, {DeviceChoice::kCuda, "cuda"}};
};

/// What computes a backbone's features.
enum class Engine {
  kAuto,
  kTorch,   ///< libtorch, layer by layer
  kOneDnn,  ///< fused convolutions (nn/fused_net.h): convolutional networks on a CPU
};
template <>
struct EnumNames<Engine> {
  static constexpr std::pair<Engine, std::string_view> table[] = {
      {Engine::kAuto, "auto"}, {Engine::kTorch, "torch"}, {Engine::kOneDnn, "onednn"}};
};

enum class Precision {
  kAuto,
  kFloat32,
  kBFloat16,
  kInt8,  ///< the backbone alone, by Engine::kOneDnn; methods compute in method_precision
};
template <>
struct EnumNames<Precision> {
  static constexpr std::pair<Precision, std::string_view> table[] = {{Precision::kAuto, "auto"},
                                                                     {Precision::kFloat32, "float32"},
                                                                     {Precision::kBFloat16, "bfloat16"},
                                                                     {Precision::kInt8, "int8"}};
};

/// In which a method computes what it does with the features.
constexpr Precision method_precision(Precision of_backbone) {
  return of_backbone == Precision::kInt8 ? Precision::kBFloat16 : of_backbone;
}

}  // namespace glint
