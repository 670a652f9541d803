// A convolutional backbone by oneDNN, compiled once for a size of input: convolution, bias, residual sum and
// ReLU in one step, weights packed once, all memory planned once. Free of libtorch; nn/backbone.h chooses
// between this and libtorch's layers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "glint/image/image.h"
#include "glint/nn/activation_ranges.h"
#include "glint/nn/backbone_spec.h"
#include "glint/nn/feature_extractor.h"
#include "glint/nn/precision.h"
#include "glint/nn/tensor_dict.h"

namespace glint {

/// Const methods may run from several threads; each at work has memory of its own, which is kept for the
/// next.
class FusedNet {
 public:
  /// False when this processor lacks what oneDNN needs for it.
  static bool runs_here(Precision precision);

  /// folded: the tensors of fold_backbone, of a network with maps. precision: float32, bfloat16 with sums in
  /// float32, or int8 with `ranges` (bytes with sums of 32 bits: see fused_plan.h). Error(kBadInput) names
  /// `source` when a tensor or a range is missing.
  FusedNet(const BackboneSpec& spec, const TensorDict& folded, Precision precision, const std::string& source,
           ActivationRanges ranges = {});
  ~FusedNet();
  FusedNet(FusedNet&&) noexcept;
  FusedNet& operator=(FusedNet&&) noexcept;

  /// As FeatureExtractor::maps, channels last. A single image is computed by all threads together, several by
  /// one thread each. Images are normalised by kImageNetMean and kImageNetStd.
  /// With int8 the last bits of a layer may depend on whether one above it is asked for too.
  std::vector<HostBuffer> maps(const std::vector<RgbImage>& images, const std::vector<int>& layers) const;

  /// The largest magnitudes over `images` (of one size, at least one), 1 where a result is always 0. Of a net
  /// with float32.
  ActivationRanges ranges(const std::vector<RgbImage>& images) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace glint
