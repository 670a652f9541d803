#include "glint/detect/efficientad/losses.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "glint/base/error.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

// All published.
constexpr double kLowQuantile = 0.9, kHighQuantile = 0.995, kHighValue = 0.1;
constexpr std::int64_t kBorderCells = 4;

std::array<double, 2> scale_quantiles(const torch::Tensor& maps) {
  return {linear_quantile(maps, kLowQuantile), linear_quantile(maps, kHighQuantile)};
}

torch::Tensor on_scale(const torch::Tensor& map, const std::array<double, 2>& quantiles) {
  return (map - quantiles[0]) * (kHighValue / (quantiles[1] - quantiles[0]));
}

}  // namespace

double linear_quantile(const torch::Tensor& values, double share) {
  const torch::Tensor flat = values.detach().to(torch::kFloat).contiguous();
  GLINT_CHECK(flat.numel() > 0);
  std::vector<float> sorted(flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
  const double rank = share * static_cast<double>(sorted.size() - 1);
  const auto low = sorted.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(sorted.begin(), low, sorted.end());
  if (low + 1 == sorted.end()) return *low;
  const double next = *std::min_element(low + 1, sorted.end());
  return *low + (rank - std::floor(rank)) * (next - *low);
}

torch::Tensor hard_feature_loss(const torch::Tensor& teacher, const torch::Tensor& student, double share) {
  const torch::Tensor squares = (teacher - student).square();
  return squares.masked_select(squares.detach() >= linear_quantile(squares, share)).mean();
}

EfficientAdLosses efficientad_losses(const torch::Tensor& teacher, const torch::Tensor& teacher_jittered,
                                     const torch::Tensor& autoencoder, const torch::Tensor& student,
                                     const torch::Tensor& student_jittered,
                                     const torch::Tensor& student_other, double hard_share) {
  const std::int64_t channels = teacher.size(1);
  return {hard_feature_loss(teacher, student.slice(1, 0, channels), hard_share),
          student_other.defined() ? student_other.slice(1, 0, channels).square().mean() : torch::zeros({}),
          (teacher_jittered - autoencoder).square().mean(),
          (autoencoder - student_jittered.slice(1, channels)).square().mean()};
}

torch::Tensor difference_map(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).square().mean(1);
}

EfficientAdMaps efficientad_maps(const torch::Tensor& teacher, const torch::Tensor& autoencoder,
                                 const torch::Tensor& student) {
  const std::int64_t channels = teacher.size(1);
  return {difference_map(teacher, student.slice(1, 0, channels)),
          difference_map(autoencoder, student.slice(1, channels))};
}

MapScale MapScale::of(const torch::Tensor& teacher_maps, const torch::Tensor& autoencoder_maps) {
  MapScale scale{scale_quantiles(teacher_maps), scale_quantiles(autoencoder_maps)};
  for (auto* quantiles : {&scale.teacher, &scale.autoencoder}) {
    if (!((*quantiles)[1] > (*quantiles)[0])) {
      fail(ErrorCode::kBadInput,
           "the maps of the good parts kept for the normalisation are constant or not finite, so that they "
           "give "
           "no scale; look for damaged or empty training images with `glint audit`");
    }
  }
  return scale;
}

torch::Tensor MapScale::combined(const EfficientAdMaps& maps) const {
  return 0.5 * on_scale(maps.teacher, teacher) + 0.5 * on_scale(maps.autoencoder, autoencoder);
}

HostTensor MapScale::to_host() const {
  return glint::to_host(
      torch::tensor({teacher[0], teacher[1], autoencoder[0], autoencoder[1]}, torch::kDouble));
}

MapScale MapScale::from_dict(const TensorDict& tensors, const std::string& name, const std::string& file) {
  const HostTensor& t = require_tensor(tensors, name, {4}, file);
  if (is_floating(t.dtype) && all_finite(t)) {
    const torch::Tensor v = to_tensor(t).to(torch::kDouble).contiguous();
    const auto* p = v.data_ptr<double>();
    if (p[1] > p[0] && p[3] > p[2]) return {{p[0], p[1]}, {p[2], p[3]}};
  }
  fail(ErrorCode::kBadInput, "{}: tensor '{}' must hold two pairs of rising finite numbers; train it again",
       file, name);
}

torch::Tensor with_border(const torch::Tensor& combined) {
  return at::constant_pad_nd(combined, {kBorderCells, kBorderCells, kBorderCells, kBorderCells}, 0);
}

}  // namespace glint
