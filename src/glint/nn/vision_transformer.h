// DINOv2 vision transformers with register tokens (Oquab et al. 2023; Darcet et al. 2023), as INP-Former uses
// them: raw block outputs, position embeddings interpolated with scale (n + 0.1) / 37. Inference only.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "glint/nn/tensor_dict.h"

namespace glint {

/// What a transformer looks like. Blocks are counted from 0.
struct TransformerShape {
  int dimension = 0, heads = 0, depth = 0;
  int patch = 14;          ///< pixels per token side
  int registers = 4;       ///< register tokens, inserted behind the class token without a position
  int position_grid = 37;  ///< side of the trained position table: 518 pixels
  int mlp_ratio = 4;
  std::vector<int> target_blocks;  ///< whose outputs INP-Former reads
};

/// One tensor of a network: name and the shape it must have.
struct TensorShape {
  std::string name;
  std::vector<std::int64_t> shape;
};
/// What a checkpoint must hold. The unused mask token and final norm are not asked for.
std::vector<TensorShape> transformer_tensors(const TransformerShape& shape);

class VisionTransformer {
 public:
  /// Error(kBadInput) names the missing or odd tensor and `source`.
  VisionTransformer(const TransformerShape& shape, const TensorDict& tensors, const std::string& source);

  /// Stem: images [B, 3, H, W], H and W multiples of the patch, normalised -> tokens
  /// [B, 1 + registers + H/14 * W/14, D] with positions.
  torch::Tensor embed(const torch::Tensor& images) const;

  /// Outputs of the target blocks, patch tokens only: each [B, H/14 * W/14, D], row-major positions.
  std::vector<torch::Tensor> target_outputs(const torch::Tensor& images) const;

  const TransformerShape& shape() const { return shape_; }
  void to(const torch::Device& device, torch::ScalarType type);

 private:
  const torch::Tensor& at(const std::string& name) const;
  torch::Tensor block(const torch::Tensor& x, int index) const;

  TransformerShape shape_;
  std::map<std::string, torch::Tensor> tensors_;
};

}  // namespace glint
