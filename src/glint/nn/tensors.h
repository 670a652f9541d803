// Bridges between host memory and libtorch tensors, and how tensors run on this machine: device, threads,
// precision. The one room that decides this.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "glint/image/image.h"
#include "glint/nn/feature_extractor.h"
#include "glint/nn/precision.h"
#include "glint/nn/tensor_dict.h"

namespace glint {

/// True when the CPU multiplies bfloat16 in hardware (AVX-512 BF16 or AMX).
bool cpu_has_bfloat16();

/// kBFloat16 where `wish` is auto and the device is a CPU with bfloat16; never auto.
Precision resolve_precision(Precision wish, const torch::Device& device);

/// Error(kConfig) when cuda is asked for and absent.
torch::Device resolve_device(DeviceChoice choice);

/// Uses all processors of the affinity mask (libtorch takes fewer on some machines), flushes denormals, and
/// asks for deterministic kernels. Call once before work.
void prepare_runtime();

/// A sentence when libtorch's matrix products run on a slow reference BLAS, empty otherwise (measured, 20
/// ms).
std::string blas_warning();

torch::Tensor to_tensor(const HostTensor& tensor);
/// Any device, any layout; float types keep their type unless `dtype` asks for half.
HostTensor to_host(const torch::Tensor& tensor);
HostTensor to_host_half(const torch::Tensor& tensor);

/// The same memory as a buffer, and back: nothing is copied (a tensor of another device first comes here).
HostBuffer share_buffer(const torch::Tensor& tensor);
torch::Tensor share_tensor(const HostBuffer& buffer);

/// Normalised network input [B, 3, H, W] float32 from images of one size. mean, std per RGB channel on the
/// [0, 1] scale.
torch::Tensor images_to_tensor(const std::vector<RgbImage>& images, const std::array<double, 3>& mean,
                               const std::array<double, 3>& std);

}  // namespace glint
