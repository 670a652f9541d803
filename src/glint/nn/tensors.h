// Bridges between host memory and libtorch tensors. How tensors run on this machine: runtime.h.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "glint/image/image.h"
#include "glint/nn/feature_extractor.h"
#include "glint/nn/runtime.h"
#include "glint/nn/tensor_dict.h"

namespace glint {

/// Error(kConfig) when cuda is asked for and absent.
torch::Device resolve_device(DeviceChoice choice);

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
