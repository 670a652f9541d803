#include "glint/detect/patch_features.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "glint/base/error.h"
#include "glint/nn/tensors.h"

namespace glint {

std::vector<torch::Tensor> map_tensors(const FeatureExtractor& features, const std::vector<RgbImage>& images,
                                       const std::vector<int>& layers) {
  std::vector<torch::Tensor> out;
  for (const HostBuffer& map : features.maps(images, layers)) out.push_back(share_tensor(map));
  return out;
}

torch::Tensor average_neighbourhoods(const torch::Tensor& maps) {
  return at::avg_pool2d(maps, 3, 1, 1);
}

torch::Tensor join_maps(const std::vector<torch::Tensor>& maps, Alignment alignment) {
  GLINT_CHECK(!maps.empty());
  const std::int64_t h = maps[0].size(2), w = maps[0].size(3);
  std::vector<torch::Tensor> parts = {maps[0]};
  for (std::size_t i = 1; i < maps.size(); ++i) {
    parts.push_back(alignment == Alignment::kBilinear ? at::upsample_bilinear2d(maps[i], {h, w}, false)
                                                      : at::upsample_nearest2d(maps[i], {h, w}));
  }
  return at::cat(parts, 1);
}

torch::Tensor positions_of(const torch::Tensor& maps) {
  return maps.permute({0, 2, 3, 1})
      .reshape({maps.size(0), maps.size(2) * maps.size(3), maps.size(1)})
      .contiguous();
}

std::vector<LayerGrid> grids_of(const std::vector<torch::Tensor>& maps) {
  std::vector<LayerGrid> grids;
  for (const torch::Tensor& map : maps) grids.push_back({map.size(1), map.size(2), map.size(3)});
  return grids;
}

torch::Tensor pack_layers(const std::vector<torch::Tensor>& maps) {
  std::vector<torch::Tensor> parts;
  for (const torch::Tensor& map : maps) parts.push_back(positions_of(map).flatten(1));
  return at::cat(parts, 1).unsqueeze(1);
}

std::vector<torch::Tensor> unpack_layers(const torch::Tensor& packed, const std::vector<LayerGrid>& grids) {
  const torch::Tensor values = packed.flatten(1);
  std::vector<torch::Tensor> maps;
  std::int64_t begin = 0;
  for (const LayerGrid& grid : grids) {
    const std::int64_t count = grid.channels * grid.height * grid.width;
    maps.push_back(values.slice(1, begin, begin + count)
                       .reshape({-1, grid.height, grid.width, grid.channels})
                       .permute({0, 3, 1, 2}));
    begin += count;
  }
  GLINT_CHECK(begin == values.size(1));
  return maps;
}

std::vector<PatchScores> maps_of(const torch::Tensor& scores, int height, int width) {
  const torch::Tensor host = scores.to(torch::kCPU, torch::kFloat).contiguous();
  GLINT_CHECK(host.dim() == 2 && host.size(1) == static_cast<std::int64_t>(height) * width);
  std::vector<PatchScores> out;
  for (std::int64_t b = 0; b < host.size(0); ++b) {
    ScoreMap map(width, height);
    std::copy_n(host.data_ptr<float>() + b * host.size(1), host.size(1), map.values.begin());
    out.push_back({std::move(map), {}});
  }
  return out;
}

}  // namespace glint
