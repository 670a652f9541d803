// DINOv2 vision transformers with register tokens (Oquab et al. 2023; Darcet et al. 2023), as INP-Former uses
// them: raw block outputs, position embeddings interpolated with scale (n + 0.1) / 37. Inference only.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "glint/nn/backbone_spec.h"
#include "glint/nn/tensor_dict.h"

namespace glint {

/// What a checkpoint must hold. The unused mask token and final norm are not asked for.
std::vector<TensorShape> transformer_tensors(const TransformerShape& shape);

class VisionTransformer {
 public:
  /// Error(kBadInput) names the missing or odd tensor and `source`.
  VisionTransformer(const TransformerShape& shape, const TensorDict& tensors, const std::string& source);

  /// Stem: images [B, 3, H, W], H and W multiples of the patch, normalised -> tokens
  /// [B, 1 + registers + H/14 * W/14, D] with positions.
  torch::Tensor embed(const torch::Tensor& images) const;

  /// Outputs of `blocks` (ascending), patch tokens only: each float32 [B, H/14 * W/14, D], row-major
  /// positions. Blocks behind the last one are not run.
  std::vector<torch::Tensor> block_outputs(const torch::Tensor& images, const std::vector<int>& blocks) const;

  const TransformerShape& shape() const { return shape_; }
  void to(const torch::Device& device, torch::ScalarType type);

 private:
  const torch::Tensor& at(const std::string& name) const;
  torch::Tensor block(const torch::Tensor& x, int index) const;

  TransformerShape shape_;
  std::map<std::string, torch::Tensor> tensors_;
};

}  // namespace glint
