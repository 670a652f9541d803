// The image score of PatchCore's paper: the largest patch distance, lowered where the nearest row of the bank
// lies in a sparse part of it (Roth et al., equation 7).
#pragma once

#include <torch/types.h>

#include "glint/nn/nearest.h"

namespace glint {

/// patch: float32 [d], `row`: its nearest row of the bank. (1 - softmax(distances)_0) times the distance to
/// `row`, over the distances from the patch to the `neighbours` rows nearest to `row`, itself first. With one
/// neighbour: the distance alone.
double reweighted_score(const torch::Tensor& patch, std::int64_t row, const NearestRows& bank,
                        std::int64_t neighbours);

}  // namespace glint
