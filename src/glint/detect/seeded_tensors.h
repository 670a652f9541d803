// Tensors of seeded random values: initial weights and noise. Equal on every machine and for any number of
// threads.
#pragma once

#include <torch/types.h>

#include "glint/base/random.h"

namespace glint {

/// Normal values of mean 0, float32.
torch::Tensor normal_tensor(at::IntArrayRef shape, double std, Rng& rng);
/// Uniform on [-bound, bound), float32.
torch::Tensor uniform_tensor(at::IntArrayRef shape, double bound, Rng& rng);

/// Independent normal values in the contiguous shape and the type of `z` (float32 or bfloat16). Fast.
torch::Tensor noise_like(const torch::Tensor& z, double std, std::uint64_t seed);

}  // namespace glint
