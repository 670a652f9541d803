// The model file's own proof that it computes here what it computed where it was trained: one prepared input
// with the patch scores that the trained detector gave it. Free of libtorch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "glint/detect/detector.h"
#include "glint/detect/scoring.h"
#include "glint/image/image.h"
#include "glint/nn/precision.h"
#include "glint/nn/tensor_dict.h"

namespace glint {

struct ParityCapsule {
  RgbImage input;      ///< a training part as the network sees it
  PatchScores scores;  ///< of that input, as the detector of the model file computed them

  static ParityCapsule make(const Detector& detector, RgbImage input);

  ImageSize input_size() const { return {input.width, input.height}; }
  /// "input" [h, w, 3] of 8 bits, and the scores as pack_scores.
  TensorDict pack() const;
  /// None of no tensors. Error(kBadInput) naming `name` and `prefix` with the tensor that does not fit.
  static std::optional<ParityCapsule> unpack(const TensorDict& tensors, const std::string& prefix,
                                             const std::string& name);
};

/// How far the detector's scores of the capsule's input lie from those recorded: the root mean square over
/// the patches (for an image score the magnitude), in standard deviations of the good parts' scores `good` of
/// the same kind; the largest of the kinds. Infinite when the shapes differ or a number is not finite.
double capsule_difference(const ParityCapsule& capsule, const Detector& detector,
                          const std::vector<PatchScores>& good);

/// What may lie between two machines, or two engines, that compute in one precision; wide where somebody
/// asked for another precision, which is said elsewhere. docs/model-file.md has the reasoning and what was
/// measured.
double capsule_tolerance(Precision recorded, Precision computed);

}  // namespace glint
