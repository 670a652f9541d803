// Principal components of few long vectors, and how badly they explain another one (DFM: deep feature
// modelling, Ahuja et al., 2019).
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace glint {

struct Subspace {
  torch::Tensor mean;        ///< [d]
  torch::Tensor components;  ///< [k, d], orthonormal rows, largest variance first
  torch::Tensor variances;   ///< [k]: squared singular value over the number of vectors
};

/// vectors [n, d], n >= 2: as many components as it takes to explain `share` of the variance. Through the
/// Gram matrix [n, n], in double; no d x d matrix. At least one component.
Subspace fit_subspace(const torch::Tensor& vectors, double share);

/// What the subspace leaves unexplained of vectors [b, d]: the difference to their projections, [b, d].
torch::Tensor unexplained(const torch::Tensor& vectors, const Subspace& subspace);

/// Sum of z^2 / variance + ln variance over the components: the Gaussian's negative log-likelihood within the
/// subspace, times two, without its constant; [b].
torch::Tensor subspace_surprise(const torch::Tensor& vectors, const Subspace& subspace);

}  // namespace glint
