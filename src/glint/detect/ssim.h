// Structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004) of two pictures, place by place: a loss and
// a map of what a reconstruction misses. libtorch's autograd gives the gradient.
#pragma once

#include <torch/types.h>

namespace glint {

/// Which places have a value, and what lies beyond the picture's border.
enum class SsimBorder {
  kValid,     ///< only places whose window lies in the picture
  kMirrored,  ///< all; the picture mirrored, edge pixel repeated (scikit-image)
  kZeros,     ///< all; zeros (what convolutions with padding see)
};

struct SsimOptions {
  int window = 11;     ///< side of the Gaussian window, odd
  double sigma = 1.5;  ///< its deviation, pixels
  double range = 1;    ///< of pixel values; C1 = (0.01 range)^2, C2 = (0.03 range)^2
  SsimBorder border = SsimBorder::kValid;
};

/// x, y [B, C, H, W] float -> [B, C, h, w], each channel by itself, population covariances; 1 where equal.
/// H and W at least the window. Computed in the type of `x`, which should be float32 or finer: the variances
/// are differences of near numbers. The blur is a product with a matrix of the side's length: meant for
/// pictures of some hundred pixels.
torch::Tensor ssim_map(const torch::Tensor& x, const torch::Tensor& y, const SsimOptions& options = {});

/// 1 - the mean of ssim_map, of each picture: [B].
torch::Tensor ssim_loss(const torch::Tensor& x, const torch::Tensor& y, const SsimOptions& options = {});

}  // namespace glint
