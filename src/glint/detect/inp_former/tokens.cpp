#include "glint/detect/inp_former/tokens.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr int kHeadChannels = 64;  // as in the published transformers

torch::Tensor positions_first(const torch::Tensor& map) {
  return map.flatten(2).transpose(1, 2).contiguous();
}

}  // namespace

TokenGroups encode_tokens(const Backbone& backbone, const std::vector<RgbImage>& images, TokenGrid grid) {
  const torch::InferenceMode inference;
  const torch::Tensor input = images_to_tensor(images, kImageNetMean, kImageNetStd);
  TokenGroups out;
  if (const auto& transformer = backbone.spec().transformer) {
    const std::vector<torch::Tensor> targets = backbone.target_outputs(input);
    out.height = static_cast<int>(input.size(2)) / transformer->patch;
    out.width = static_cast<int>(input.size(3)) / transformer->patch;
    const auto half = static_cast<std::ptrdiff_t>(targets.size() / 2);
    out.groups = {at::stack(std::vector<torch::Tensor>(targets.begin(), targets.begin() + half)).mean(0),
                  at::stack(std::vector<torch::Tensor>(targets.begin() + half, targets.end())).mean(0)};
    return out;
  }
  const FeatureMaps maps = backbone.features(input);
  torch::Tensor two = maps.layer2, three = maps.layer3;
  const torch::Tensor& target = grid == TokenGrid::kLayer3 ? three : two;
  const std::vector<std::int64_t> size = {target.size(2), target.size(3)};
  if (grid == TokenGrid::kLayer3) {
    two = at::adaptive_avg_pool2d(two, size);
  } else {
    three = at::upsample_bilinear2d(three, size, /*align_corners=*/false);
  }
  out.height = static_cast<int>(size[0]);
  out.width = static_cast<int>(size[1]);
  out.groups = {positions_first(two), positions_first(three)};
  return out;
}

InpFormerShape inp_former_shape(const BackboneSpec& backbone, const InpFormerOptions& options) {
  if (options.decoder_blocks % 2 != 0) {
    fail(ErrorCode::kConfig, "inp_former.decoder_blocks = {}: must be even, half for each group",
         options.decoder_blocks);
  }
  InpFormerShape shape;
  shape.prototypes = options.prototypes;
  shape.decoder_blocks = options.decoder_blocks;
  if (backbone.transformer) {
    shape.group_widths = {backbone.transformer->dimension, backbone.transformer->dimension};
    shape.heads = backbone.transformer->heads;
  } else {
    shape.group_widths = {backbone.channels(2), backbone.channels(3)};
    shape.joined = true;
    shape.heads = shape.dimension() / kHeadChannels;
  }
  return shape;
}

torch::Tensor pack_groups(const std::vector<torch::Tensor>& groups) {
  return at::cat(groups, -1);
}

std::vector<torch::Tensor> unpack_groups(const torch::Tensor& packed, const std::vector<int>& widths) {
  std::vector<torch::Tensor> out;
  std::int64_t first = 0;
  for (const int width : widths) {
    out.push_back(packed.slice(-1, first, first + width));
    first += width;
  }
  return out;
}

}  // namespace glint
