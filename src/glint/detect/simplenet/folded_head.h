// Judging with SimpleNet: everything linear between feature maps and hidden units is folded. Each layer's
// pooled columns go through their share of one linear map, layer3's before its interpolation. Not training:
// head.h.
#pragma once

#include <memory>
#include <vector>

#include "glint/detect/simplenet/embedding.h"
#include "glint/detect/simplenet/head.h"
#include "glint/nn/feature_extractor.h"
#include "glint/nn/precision.h"

namespace glint {

/// Const methods may run from several threads.
class FoldedScorer {
 public:
  /// The mean over `heads` (one wider head). feature_scale: what features are multiplied with. precision:
  /// with bfloat16 several heads' products round their operands; a single head's are float32, which cost
  /// little.
  FoldedScorer(const PatchEmbedding& embedding, const std::vector<HeadWeights>& heads, double feature_scale,
               Precision precision);
  ~FoldedScorer();
  FoldedScorer(FoldedScorer&&) noexcept;

  /// Maps of one batch on the CPU -> for each image its scores on layer2's grid, row-major: high = anomalous.
  std::vector<std::vector<float>> scores(const HostBuffer& layer2, const HostBuffer& layer3) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace glint
