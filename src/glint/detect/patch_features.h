// Patch features of distance-based methods: layers of a convolutional backbone, each averaged over 3x3
// neighbourhoods where the method wants it, the deeper ones brought to the first one's grid, and joined.
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

/// maps: [B, C_i, H_i, W_i], the largest grid first -> [B, sum C_i, H_0, W_0].
torch::Tensor join_maps(const std::vector<torch::Tensor>& maps, Alignment alignment);

/// [B, C, H, W] -> [B, H*W, C], contiguous.
torch::Tensor positions_of(const torch::Tensor& maps);

/// Maps of several layers as one row an image, and back: what a feature cache keeps where a method needs each
/// layer on its own grid.
struct MapLayout {
  std::vector<std::vector<std::int64_t>> shapes;  ///< per map [C, H, W]

  static MapLayout of(const std::vector<torch::Tensor>& maps);
  /// maps [B, C_i, H_i, W_i] -> [B, 1, all values].
  static torch::Tensor pack(const std::vector<torch::Tensor>& maps);
  /// [B, 1, all values] -> [B, C_i, H_i, W_i] float32, contiguous.
  std::vector<torch::Tensor> unpack(const torch::Tensor& packed) const;
};

/// Scores [B, h*w] of any floating type as one map per image.
std::vector<PatchScores> maps_of(const torch::Tensor& scores, int height, int width);

}  // namespace glint
