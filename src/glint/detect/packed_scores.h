// Patch scores of several inputs as tensors of the model file, and back. Free of libtorch.
#pragma once

#include <string>
#include <vector>

#include "glint/detect/scoring.h"
#include "glint/nn/tensor_dict.h"

namespace glint {

/// float32: "patch_scores" [n, h, w], where there are any "decision_scores" [n, h, w] and "image_scores" [n].
TensorDict pack_scores(const std::vector<PatchScores>& scores);

/// Error(kBadInput) naming `name` and `prefix` with the tensor when there is something else, or only part.
void check_scores(const TensorDict& tensors, const std::string& prefix, const std::string& name);

/// Checked as above; none when there are no tensors.
std::vector<PatchScores> unpack_scores(const TensorDict& tensors, const std::string& prefix,
                                       const std::string& name);

}  // namespace glint
