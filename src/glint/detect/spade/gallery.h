// SPADE's two searches: images most like one image, and positions of theirs nearest to each of its positions.
#pragma once

#include <torch/types.h>

#include <array>
#include <vector>

#include "glint/nn/tensors.h"

namespace glint {

/// Of one image or of a gallery of n.
struct SpadeFeatures {
  torch::Tensor vector;                 ///< float32 [n, d]: describes the whole image
  std::array<torch::Tensor, 3> layers;  ///< [n, C, H, W]; float32, or bfloat16 in a gallery
};

struct NearestImages {
  std::vector<std::int64_t> index;  ///< nearest first
  torch::Tensor distance;           ///< float32 [k], Euclidean
};

/// vector [1, d] among the gallery's [n, d]; k is cut to n.
NearestImages nearest_images(const torch::Tensor& vector, const torch::Tensor& gallery, std::int64_t k);

/// Per layer [H, W]: the smallest Euclidean distance of each position to all positions of the chosen images.
std::array<torch::Tensor, 3> gallery_distances(const SpadeFeatures& image, const SpadeFeatures& gallery,
                                               const std::vector<std::int64_t>& chosen);

/// Plain mean of the layers, each brought to height x width bilinearly without corner alignment.
torch::Tensor mean_of_layers(const std::array<torch::Tensor, 3>& distances, std::int64_t height,
                             std::int64_t width);

}  // namespace glint
