#include "glint/detect/spade/gallery.h"

#include <ATen/ATen.h>

#include "glint/detect/patch_features.h"
#include "glint/nn/nearest.h"

namespace glint {

NearestImages nearest_images(const torch::Tensor& vector, const torch::Tensor& gallery, std::int64_t k) {
  const NearestResult found = NearestRows(gallery).search(vector, std::min(k, gallery.size(0)));
  const auto* index = found.index.data_ptr<std::int64_t>();
  return {{index, index + found.index.size(1)}, found.distance[0]};
}

std::array<torch::Tensor, 3> gallery_distances(const SpadeFeatures& image, const SpadeFeatures& gallery,
                                               const std::vector<std::int64_t>& chosen) {
  const torch::Tensor index = torch::tensor(chosen);
  std::array<torch::Tensor, 3> out;
  for (std::size_t l = 0; l < out.size(); ++l) {
    const torch::Tensor rows =
        positions_of(gallery.layers[l].index_select(0, index).to(torch::kFloat)).flatten(0, 1);
    out[l] = NearestRows(rows)
                 .search(positions_of(image.layers[l]).flatten(0, 1))
                 .distance.reshape({image.layers[l].size(2), image.layers[l].size(3)});
  }
  return out;
}

torch::Tensor mean_of_layers(const std::array<torch::Tensor, 3>& distances, std::int64_t height,
                             std::int64_t width) {
  torch::Tensor sum = torch::zeros({height, width});
  for (const torch::Tensor& layer : distances)
    sum.add_(at::upsample_bilinear2d(layer.unsqueeze(0).unsqueeze(0), {height, width}, false)[0][0]);
  return sum.div_(static_cast<double>(distances.size()));
}

}  // namespace glint
