// PatchCore (Roth et al., CVPR 2022): the distance of each patch to the nearest of a bank of good patches,
// chosen so that they cover all good ones.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

/// refined: 3x3 means, a bank of fixed size, Euclidean distances. baseline: the authors' embedding, bank
/// share, input and squared distances. The published re-weighting of the image score is image score
/// `reweighted`.
std::unique_ptr<Method> make_patchcore();

}  // namespace glint
