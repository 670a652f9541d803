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

MapLayout MapLayout::of(const std::vector<torch::Tensor>& maps) {
  MapLayout layout;
  for (const torch::Tensor& map : maps) layout.shapes.push_back({map.size(1), map.size(2), map.size(3)});
  return layout;
}

torch::Tensor MapLayout::pack(const std::vector<torch::Tensor>& maps) {
  std::vector<torch::Tensor> rows;
  for (const torch::Tensor& map : maps) rows.push_back(map.flatten(1));
  return at::cat(rows, 1).unsqueeze(1);
}

std::vector<torch::Tensor> MapLayout::unpack(const torch::Tensor& packed) const {
  const torch::Tensor rows = packed.flatten(1);
  std::vector<torch::Tensor> maps;
  std::int64_t first = 0;
  for (const std::vector<std::int64_t>& shape : shapes) {
    const std::int64_t values = shape[0] * shape[1] * shape[2];
    maps.push_back(rows.slice(1, first, first + values)
                       .reshape({rows.size(0), shape[0], shape[1], shape[2]})
                       .to(torch::kFloat)
                       .contiguous());
    first += values;
  }
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
