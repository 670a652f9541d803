// The audit's checks on network features: near duplicates and suspicious training images.
#pragma once

#include <torch/types.h>

#include "glint/eval/audit.h"

namespace glint {

/// Features of every image: [n, 18 * 18, C] bfloat16 at an input of 288, layer2 pooled onto layer3's grid and
/// both layers normalised per position.
torch::Tensor audit_features(const std::vector<AuditedImage>& images, const Backbone& backbone,
                             ProgressSink& progress);

/// Pairs whose pictures differ less than a photograph differs from its own slightly disturbed copy (moved by
/// half a per cent, 2 % brighter, a little noise); only pairs whose perceptual hashes are near are compared.
std::vector<Finding> audit_near_duplicates(const std::vector<AuditedImage>& images,
                                           const torch::Tensor& features, const Backbone& backbone,
                                           std::uint64_t seed);

/// Scores of the training images, most suspicious first.
std::vector<NormalClassScore> score_normal_class(const std::vector<AuditedImage>& images,
                                                 const torch::Tensor& features, int folds, std::uint64_t seed,
                                                 ProgressSink& progress);

}  // namespace glint
