#include "glint/detect/cutpaste/embedding_density.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "glint/base/error.h"
#include "glint/detect/ledoit_wolf.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr const char* kCutPasteMean = "cutpaste.mean";
constexpr const char* kCutPasteCovariance = "cutpaste.covariance";
constexpr const char* kCutPasteVectors = "cutpaste.vectors";
constexpr double kShortestVector = 1e-12;

/// Finite float32 of `columns` columns, as double.
torch::Tensor read_density(const TensorDict& tensors, const char* name, std::int64_t rows,
                           std::int64_t columns, const std::string& file) {
  const HostTensor& t = require_tensor(tensors, name, file);
  const bool fits = columns == 0 ? t.shape.size() == 1 && t.shape[0] == rows
                                 : t.shape.size() == 2 && t.shape[1] == columns && t.shape[0] > 0 &&
                                       (rows == 0 || t.shape[0] == rows);
  if (!fits || !is_floating(t.dtype) || !all_finite(t)) {
    fail(ErrorCode::kBadInput,
         "{}: tensor '{}' has the wrong shape or type, or is not finite; train it again", file, name);
  }
  return to_tensor(t).to(torch::kDouble);
}

torch::Tensor lengths_of(const torch::Tensor& vectors) {
  return vectors.norm(2, {1}, /*keepdim=*/true).clamp_min(kShortestVector);
}

}  // namespace

torch::Tensor unit_rows(const torch::Tensor& vectors) {
  const torch::Tensor x = vectors.to(torch::kDouble);
  return x / lengths_of(x);
}

void EmbeddingDensity::invert(const std::string& file) {
  const auto [factor, info] = at::linalg_cholesky_ex(covariance_);
  if (info.item<int>() != 0) {
    fail(ErrorCode::kBadInput, "{}: tensor '{}' has no inverse; train it again", file, kCutPasteCovariance);
  }
  precision_ = at::cholesky_inverse(factor);
}

EmbeddingDensity EmbeddingDensity::fit(CutPasteDensity kind, double bandwidth, const torch::Tensor& vectors) {
  EmbeddingDensity out;
  out.kind_ = kind;
  out.bandwidth_ = bandwidth;
  const torch::Tensor unit = unit_rows(vectors);
  if (kind == CutPasteDensity::kKernel) {
    out.vectors_ = unit;
    return out;
  }
  const ShrunkCovariance shrunk = ledoit_wolf(unit.unsqueeze(0));
  out.mean_ = shrunk.mean[0];
  out.covariance_ = shrunk.covariance[0];
  out.invert("the training");
  return out;
}

TensorDict EmbeddingDensity::to_dict() const {
  const auto host = [](const torch::Tensor& t) { return to_host(t.to(torch::kFloat)); };
  if (kind_ == CutPasteDensity::kKernel) return {{kCutPasteVectors, host(vectors_)}};
  return {{kCutPasteMean, host(mean_)}, {kCutPasteCovariance, host(covariance_)}};
}

EmbeddingDensity EmbeddingDensity::from_dict(CutPasteDensity kind, double bandwidth, std::int64_t d,
                                             const TensorDict& tensors, const std::string& file) {
  EmbeddingDensity out;
  out.kind_ = kind;
  out.bandwidth_ = bandwidth;
  if (kind == CutPasteDensity::kKernel) {
    out.vectors_ = read_density(tensors, kCutPasteVectors, 0, d, file);
    return out;
  }
  out.mean_ = read_density(tensors, kCutPasteMean, d, 0, file);
  out.covariance_ = read_density(tensors, kCutPasteCovariance, d, d, file);
  out.invert(file);
  return out;
}

torch::Tensor EmbeddingDensity::scores(const torch::Tensor& vectors) const {
  const torch::Tensor unit = unit_rows(vectors);
  if (kind_ == CutPasteDensity::kGaussian) {
    const torch::Tensor away = unit - mean_;
    return (at::matmul(away, precision_) * away).sum(1).clamp_min(0).sqrt();
  }
  const auto n = static_cast<double>(vectors_.size(0)), d = static_cast<double>(vectors_.size(1));
  const double h2 = bandwidth_ * bandwidth_;
  const double norm = std::log(n) + d / 2 * std::log(2 * std::numbers::pi * h2);
  return norm - at::logsumexp(-at::cdist(unit, vectors_).square() / (2 * h2), 1);
}

torch::Tensor EmbeddingDensity::gradients(const torch::Tensor& vectors) const {
  const torch::Tensor lengths = lengths_of(vectors.to(torch::kDouble)), unit = unit_rows(vectors);
  torch::Tensor by_unit;
  if (kind_ == CutPasteDensity::kGaussian) {
    by_unit = at::matmul(unit - mean_, precision_) / scores(vectors).clamp_min(kShortestVector).unsqueeze(1);
  } else {
    const double h2 = bandwidth_ * bandwidth_;
    const torch::Tensor shares = at::softmax(-at::cdist(unit, vectors_).square() / (2 * h2), 1);
    by_unit = (unit - at::matmul(shares, vectors_)) / h2;
  }
  // Only what turns the vector changes its unit vector.
  return (by_unit - unit * (by_unit * unit).sum(1, /*keepdim=*/true)) / lengths;
}

}  // namespace glint
