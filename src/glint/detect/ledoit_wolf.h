// Covariance of few samples of many numbers, shrunk towards a multiple of the identity by the share that
// Ledoit and Wolf (2004, J. Multivariate Analysis 88) derive: no sample is spent on choosing it.
#pragma once

#include <torch/types.h>

namespace glint {

struct ShrunkCovariance {
  torch::Tensor mean;        ///< [groups, d]
  torch::Tensor covariance;  ///< [groups, d, d]: (1 - shrinkage) S + shrinkage tr(S) / d I, S with divisor n
  torch::Tensor shrinkage;   ///< [groups], 0 to 1
};

/// samples [groups, n, d] of any floating type; in double.
ShrunkCovariance ledoit_wolf(const torch::Tensor& samples);

}  // namespace glint
