// What DRAEM trains by: the reconstruction's squared error and structural similarity, and the focal loss of
// the defects' map.
#pragma once

#include <torch/types.h>

#include "glint/detect/draem/network.h"

namespace glint {

/// Mean of -(1 - p)^2 ln p, p the probability of the pixel's class (softened by 1e-5, as published).
/// probability [B, 2, H, W]: good, defect; mask [B, 1, H, W]: 1 = defect.
torch::Tensor draem_focal_loss(const torch::Tensor& probability, const torch::Tensor& mask);

struct DraemLosses {
  torch::Tensor squared_error, dissimilarity;  ///< of the reconstruction; 1 - mean SSIM
  torch::Tensor focal;
  torch::Tensor total() const { return squared_error + dissimilarity + focal; }
};
/// good [B, 3, H, W]: the pictures without their defects.
DraemLosses draem_losses(const DraemNetworks::Output& out, const torch::Tensor& good,
                         const torch::Tensor& mask);

}  // namespace glint
