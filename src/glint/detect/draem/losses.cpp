#include "glint/detect/draem/losses.h"

#include <ATen/ATen.h>

#include "glint/detect/ssim.h"

namespace glint {
namespace {

constexpr double kDraemSmooth = 1e-5;  // published

}  // namespace

torch::Tensor draem_focal_loss(const torch::Tensor& probability, const torch::Tensor& mask) {
  const torch::Tensor defect = mask.to(probability.scalar_type());
  const torch::Tensor wanted = at::cat({1 - defect, defect}, 1).clamp(kDraemSmooth, 1 - kDraemSmooth);
  const torch::Tensor p = (wanted * probability).sum(1) + kDraemSmooth;
  return -((1 - p).square() * p.log()).mean();
}

DraemLosses draem_losses(const DraemNetworks::Output& out, const torch::Tensor& good,
                         const torch::Tensor& mask) {
  return {(out.reconstruction - good).square().mean(),
          ssim_loss(out.reconstruction, good, {.border = SsimBorder::kZeros}).mean(),
          draem_focal_loss(out.probability, mask)};
}

}  // namespace glint
