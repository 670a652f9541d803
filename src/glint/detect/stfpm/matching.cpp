#include "glint/detect/stfpm/matching.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"

namespace glint {
namespace {

torch::Tensor at_length_one(const torch::Tensor& vectors) {
  constexpr double kLeastLength = 1e-12;
  return vectors / vectors.norm(2, {1}, /*keepdim=*/true).clamp_min(kLeastLength);
}

}  // namespace

torch::Tensor unit_distance(const torch::Tensor& a, const torch::Tensor& b) {
  return (at_length_one(a) - at_length_one(b)).square().sum(1);
}

std::vector<torch::Tensor> unit_distances(const std::vector<torch::Tensor>& teacher,
                                          const std::vector<torch::Tensor>& student) {
  GLINT_CHECK(teacher.size() == student.size());
  std::vector<torch::Tensor> out;
  for (std::size_t l = 0; l < teacher.size(); ++l) out.push_back(unit_distance(teacher[l], student[l]));
  return out;
}

torch::Tensor stfpm_loss(const std::vector<torch::Tensor>& distances) {
  torch::Tensor loss = distances.at(0).mean();
  for (std::size_t l = 1; l < distances.size(); ++l) loss = loss + distances[l].mean();
  return loss;
}

torch::Tensor product_map(const std::vector<torch::Tensor>& distances, std::int64_t height,
                          std::int64_t width) {
  torch::Tensor product;
  for (const torch::Tensor& distance : distances) {
    const torch::Tensor half =
        at::upsample_bilinear2d(0.5 * distance.unsqueeze(1), {height, width}, /*align_corners=*/false);
    product = product.defined() ? product * half : half;
  }
  return product.squeeze(1);
}

}  // namespace glint
