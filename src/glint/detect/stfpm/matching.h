// How STFPM compares the maps of teacher and student: distance, loss and map (sections 3.2 and 3.3 of the
// paper).
#pragma once

#include <torch/types.h>

#include <vector>

namespace glint {

/// Of each layer: a and b [B, C, H, W] -> [B, H, W], squared distance of the two vectors over the channels,
/// each at length 1 (eps 1e-12); 2 - 2 * cosine.
torch::Tensor unit_distance(const torch::Tensor& a, const torch::Tensor& b);
std::vector<torch::Tensor> unit_distances(const std::vector<torch::Tensor>& teacher,
                                          const std::vector<torch::Tensor>& student);

/// Sum over the layers of the mean over images and positions.
torch::Tensor stfpm_loss(const std::vector<torch::Tensor>& distances);

/// Product over the layers of half the distance, each bilinear (without corner alignment) to height x width:
/// [B, height, width].
torch::Tensor product_map(const std::vector<torch::Tensor>& distances, std::int64_t height,
                          std::int64_t width);

}  // namespace glint
