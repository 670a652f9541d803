// Patch features of distance-based methods: layers of a convolutional backbone, each averaged over 3x3
// neighbourhoods where the method wants it, the deeper ones brought to the first one's grid, and joined.
#pragma once

#include <torch/types.h>

#include <string_view>
#include <vector>

#include "glint/detect/scoring.h"
#include "glint/nn/backbone.h"

namespace glint {

/// How a deeper map comes to the grid of the first.
enum class Alignment {
  kBilinear,  ///< without corner alignment (PatchCore)
  kNearest,   ///< replicated (PaDiM)
};

/// The map of layer 1, 2 or 3.
const torch::Tensor& layer_of(const FeatureMaps& maps, int layer);

/// Mean over 3x3, stride 1, zeros beyond the border counted in the divisor 9 (anomalib's PatchCore).
/// maps [B, C, H, W] float32.
torch::Tensor average_neighbourhoods(const torch::Tensor& maps);

/// maps: [B, C_i, H_i, W_i], the largest grid first -> [B, sum C_i, H_0, W_0].
torch::Tensor join_maps(const std::vector<torch::Tensor>& maps, Alignment alignment);

/// [B, C, H, W] -> [B, H*W, C], contiguous.
torch::Tensor positions_of(const torch::Tensor& maps);

/// Scores [B, h*w] of any floating type as one map per image.
std::vector<PatchScores> maps_of(const torch::Tensor& scores, int height, int width);

/// Error(kConfig) for a transformer: `method` compares maps of a convolutional network.
void require_maps(const BackboneSpec& backbone, std::string_view method);

}  // namespace glint
