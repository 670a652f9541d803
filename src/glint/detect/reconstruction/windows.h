// Square windows of prepared inputs: what a network of one size trains from and judges by. An input of the
// network's own size is one window.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace glint {

/// One random window of each picture: [B, C, H, W] -> [B, C, side, side]. seeds: one a picture. side 0 = the
/// picture itself.
torch::Tensor random_windows(const torch::Tensor& pictures, int side,
                             const std::vector<std::uint64_t>& seeds);

/// First pixels of windows along a length: `stride` apart from 0 on, the last one at the end. length >= side.
std::vector<std::int64_t> window_starts(std::int64_t length, std::int64_t side, std::int64_t stride);

/// What a network says of windows [B, C, side, side].
struct Reconstruction {
  torch::Tensor image;  ///< of the windows' size, float32
  torch::Tensor score;  ///< [B] the method's own image score, higher is worse; undefined where it has none
};

/// The reconstruction of whole pictures [B, C, H, W]: the windows', averaged where they overlap; the score is
/// the worst window's. Windows are given one place at a time, of all pictures together.
Reconstruction reconstruct_by_windows(const torch::Tensor& pictures, int side, int stride,
                                      const std::function<Reconstruction(const torch::Tensor&)>& reconstruct);

}  // namespace glint
