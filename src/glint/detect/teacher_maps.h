// The frozen backbone as a teacher: its maps of layer1 to layer3 of a training's images, computed once and
// kept. What the distillation methods share.
#pragma once

#include <torch/types.h>

#include <vector>

#include "glint/detect/feature_cache.h"
#include "glint/detect/patch_features.h"

namespace glint {

inline const std::vector<int> kTeacherLayers = {1, 2, 3};

class TeacherMaps {
 public:
  /// Of all training images and draws; `type` is what is kept.
  TeacherMaps(const FeatureExtractor& teacher, const FitInput& input, torch::ScalarType type);
  /// Of `images` alone, at least one; progress and memory limit are the input's.
  TeacherMaps(const FeatureExtractor& teacher, const std::vector<RgbImage>& images, const FitInput& input,
              torch::ScalarType type);

  /// Three maps [B, C, H, W], channels last in memory, in the kept type.
  std::vector<torch::Tensor> gather(const std::vector<int>& images, int draw = 0) const;
  const std::vector<LayerGrid>& grids() const { return grids_; }

 private:
  std::vector<LayerGrid> grids_;
  TrainingFeatures features_;
};

}  // namespace glint
