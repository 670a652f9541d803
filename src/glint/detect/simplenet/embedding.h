// Patch embedding of SimpleNet and PatchCore (published code): 3x3 neighbourhoods of layer2 and layer3
// flattened as (channel, row, column), adaptively averaged to `pretrain` values each, layer3 brought to
// layer2's grid by bilinear interpolation, both joined and adaptively averaged to `target` values.
//
// Averaging and interpolation are linear, so each layer is pooled on its own grid straight to the target's
// rows (the two averages are composed into one sparse map), and only the pooled layer3 is interpolated. A
// test compares with the literal procedure.
#pragma once

#include <torch/types.h>

#include <vector>

namespace glint {

/// One layer's part: row r of the embedding gets sum_i weights[i] * neighbourhood[first + i].
struct PooledRow {
  int target = 0;  ///< index in the embedding
  int first = 0;
  std::vector<float> weights;
};

/// Features of one image on both grids, pooled: layer2 part [h2*w2, R2], layer3 part [h3*w3, R3], row-major
/// positions.
struct PooledFeatures {
  torch::Tensor layer2, layer3;
  int h2 = 0, w2 = 0, h3 = 0, w3 = 0;
};

class PatchEmbedding {
 public:
  /// channels of layer2 and layer3, `pretrain` and `target` as above.
  PatchEmbedding(int channels2, int channels3, int pretrain, int target);

  int dimension() const { return target_; }
  int channels2() const { return channels2_; }
  int channels3() const { return channels3_; }
  /// How each layer's columns are made.
  const std::vector<PooledRow>& rows2() const { return rows2_; }
  const std::vector<PooledRow>& rows3() const { return rows3_; }
  /// Embedding indices that layer2's and layer3's pooled columns go to.
  std::vector<std::int64_t> targets2() const;
  std::vector<std::int64_t> targets3() const;

  /// maps [B, C, H, W] float32 on the CPU -> per-layer pooled columns [B, H*W, R].
  torch::Tensor pool2(const torch::Tensor& layer2) const;
  torch::Tensor pool3(const torch::Tensor& layer3) const;

  /// Full embedding [B * h2 * w2, target]; rows are (image, y, x).
  torch::Tensor embed(const torch::Tensor& layer2, const torch::Tensor& layer3) const;

 private:
  int channels2_, channels3_, target_;
  std::vector<PooledRow> rows2_, rows3_;
};

/// [B, h*w, R] on grid h x w to [B, H*W, R], bilinear without corner alignment.
torch::Tensor upsample_positions(const torch::Tensor& columns, int h, int w, int H, int W);

/// The literal procedure, for tests and for the benchmark's plain path.
torch::Tensor embed_literal(const torch::Tensor& layer2, const torch::Tensor& layer3, int pretrain,
                            int target);

}  // namespace glint
