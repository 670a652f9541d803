// What INP-Former reads of a frozen backbone: groups of tokens on one grid. A transformer gives the mean of
// each half of its middle blocks; a convolutional backbone gives layer2 and layer3 brought to one grid.
#pragma once

#include <torch/types.h>

#include <vector>

#include "glint/detect/inp_former/network.h"
#include "glint/detect/inp_former/options.h"
#include "glint/nn/feature_extractor.h"

namespace glint {

/// Groups of a batch: per group [B, height * width, channels], float32, row-major positions.
struct TokenGroups {
  std::vector<torch::Tensor> groups;
  int height = 0, width = 0;
};

/// Maps that a convolutional backbone gives.
inline const std::vector<int> kTokenLayers = {2, 3};
/// Blocks that a transformer gives, the published ones: 2 to 9 of 12; 4, 6, ..., 18 of 24.
std::vector<int> token_blocks(const TransformerShape& transformer);

TokenGroups encode_tokens(const FeatureExtractor& features, const std::vector<RgbImage>& images,
                          TokenGrid grid);

/// The network that fits a backbone.
InpFormerShape inp_former_shape(const BackboneSpec& backbone, const InpFormerOptions& options);

/// All groups side by side [B, N, sum of channels], and back.
torch::Tensor pack_groups(const std::vector<torch::Tensor>& groups);
std::vector<torch::Tensor> unpack_groups(const torch::Tensor& packed, const std::vector<int>& widths);

}  // namespace glint
