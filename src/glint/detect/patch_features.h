// Patch features of distance-based methods: layers of a convolutional backbone, each averaged over 3x3
// neighbourhoods where the method wants it, the deeper ones brought to the first one's grid, and joined; and
// layers side by side on their own grids.
#pragma once

#include <torch/types.h>

#include <vector>

#include "glint/detect/scoring.h"
#include "glint/nn/feature_extractor.h"

namespace glint {

/// How a deeper map comes to the grid of the first.
enum class Alignment {
  kBilinear,  ///< without corner alignment (PatchCore)
  kNearest,   ///< replicated (PaDiM)
};

/// The maps of `layers` as libtorch tensors on the CPU, [B, C, H, W] float32, in the buffers' memory.
std::vector<torch::Tensor> map_tensors(const FeatureExtractor& features, const std::vector<RgbImage>& images,
                                       const std::vector<int>& layers);

/// Mean over 3x3, stride 1, zeros beyond the border counted in the divisor 9 (anomalib's PatchCore).
/// maps [B, C, H, W] float32.
torch::Tensor average_neighbourhoods(const torch::Tensor& maps);

/// average_neighbourhoods of both maps, the coarse one's bilinear on the fine one's grid (as join_maps),
/// joined per position: [B, h * w, C_fine + C_coarse].
torch::Tensor mean_patches(const torch::Tensor& fine, const torch::Tensor& coarse);

/// maps: [B, C_i, H_i, W_i], the largest grid first -> [B, sum C_i, H_0, W_0].
torch::Tensor join_maps(const std::vector<torch::Tensor>& maps, Alignment alignment);

/// [B, C, H, W] -> [B, H*W, C], contiguous.
torch::Tensor positions_of(const torch::Tensor& maps);

/// Shape of a layer's map.
struct LayerGrid {
  std::int64_t channels = 0, height = 0, width = 0;
  std::vector<std::int64_t> shape() const { return {channels, height, width}; }
  bool operator==(const LayerGrid&) const = default;
};
std::vector<LayerGrid> grids_of(const std::vector<torch::Tensor>& maps);

/// Maps of several layers, each [B, C_i, H_i, W_i], side by side as they are kept: [B, 1, all values], within
/// a layer positions before channels.
torch::Tensor pack_layers(const std::vector<torch::Tensor>& maps);
/// Back to [B, C_i, H_i, W_i], channels last in memory, in the type of `packed`.
std::vector<torch::Tensor> unpack_layers(const torch::Tensor& packed, const std::vector<LayerGrid>& grids);

/// Scores [B, h*w] of any floating type as one map per image.
std::vector<PatchScores> maps_of(const torch::Tensor& scores, int height, int width);
/// maps [B, h, w], and where the method has them its own image scores [B].
std::vector<PatchScores> maps_of(const torch::Tensor& maps, const torch::Tensor& image_scores = {});

}  // namespace glint
