// Square patches of pictures that CutPaste judges one by one, and the map that their scores make.
#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

#include "glint/image/image.h"

namespace glint {

/// Where patches of `side` pixels begin along a length, `stride` apart from 0 on, the last one at the end.
std::vector<std::int64_t> patch_starts(std::int64_t length, std::int64_t side, std::int64_t stride);

/// One picture [3, H, W] -> a number for each of its patches, [rows, columns]. `judge`: [P, 3, side, side] ->
/// [P], a bounded number at a time.
torch::Tensor for_patches(const torch::Tensor& picture, std::int64_t side, std::int64_t stride,
                          const std::function<torch::Tensor(const torch::Tensor&)>& judge);

/// Scores at the patches' centres brought to cells of `stride` pixels over a picture of height x width,
/// bilinear; beyond the outermost centres the nearest one's. scores [rows, columns].
ScoreMap map_of_patches(const torch::Tensor& scores, std::int64_t height, std::int64_t width,
                        std::int64_t side, std::int64_t stride);

}  // namespace glint
