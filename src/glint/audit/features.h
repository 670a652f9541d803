// The audit's checks on network features: near duplicates and suspicious training images.
#pragma once

#include <memory>

#include "glint/audit/audit.h"

namespace glint {

/// Features of every image at an input of 288: layer2 pooled onto layer3's 18 x 18 grid, both layers
/// normalised per position, kept as bfloat16. Refers to `images` and `backbone`.
class AuditFeatures {
 public:
  AuditFeatures(const std::vector<AuditedImage>& images, const Backbone& backbone, ProgressSink& progress);
  ~AuditFeatures();
  AuditFeatures(const AuditFeatures&) = delete;
  AuditFeatures& operator=(const AuditFeatures&) = delete;

  /// Pairs whose pictures differ less than a photograph differs from its own slightly disturbed copy (moved
  /// by half a per cent, 2 % brighter, a little noise); only pairs whose perceptual hashes are near are
  /// compared.
  std::vector<Finding> near_duplicates(std::uint64_t seed) const;

  /// Scores of the training images, most suspicious first; empty with fewer than two images per fold.
  std::vector<NormalClassScore> normal_class(int folds, std::uint64_t seed, ProgressSink& progress) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace glint
