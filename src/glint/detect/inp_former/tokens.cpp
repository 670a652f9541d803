#include "glint/detect/inp_former/tokens.h"

#include <ATen/ATen.h>

#include "glint/detect/patch_features.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr int kHeadChannels = 64;  // as in the published transformers

torch::Tensor positions_first(const torch::Tensor& map) {
  return map.flatten(2).transpose(1, 2).contiguous();
}

}  // namespace

std::vector<int> token_blocks(const TransformerShape& transformer) {
  constexpr int kFirst = 2, kLast = 9, kPublishedDepth = 12;
  std::vector<int> out;
  for (int i = kFirst; i <= kLast; ++i) out.push_back(i * transformer.depth / kPublishedDepth);
  return out;
}

TokenGroups encode_tokens(const FeatureExtractor& features, const std::vector<RgbImage>& images,
                          TokenGrid grid) {
  const torch::InferenceMode inference;
  TokenGroups out;
  if (const auto& transformer = features.spec().transformer) {
    std::vector<torch::Tensor> targets;
    for (const HostBuffer& block : features.tokens(images, token_blocks(*transformer)))
      targets.push_back(share_tensor(block));
    out.height = images.at(0).height / transformer->patch;
    out.width = images.at(0).width / transformer->patch;
    const auto half = static_cast<std::ptrdiff_t>(targets.size() / 2);
    out.groups = {at::stack(std::vector<torch::Tensor>(targets.begin(), targets.begin() + half)).mean(0),
                  at::stack(std::vector<torch::Tensor>(targets.begin() + half, targets.end())).mean(0)};
    return out;
  }
  const std::vector<torch::Tensor> maps = map_tensors(features, images, kTokenLayers);
  torch::Tensor two = maps[0], three = maps[1];
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
