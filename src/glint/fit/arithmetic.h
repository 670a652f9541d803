// What an engine and a precision need from training parts, and what they do to the scores of parts that were
// kept out of training.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "glint/data/dataset.h"
#include "glint/detect/view.h"
#include "glint/fit/config.h"
#include "glint/inspect/decision.h"
#include "glint/nn/backbone.h"

namespace glint {

/// Of the photographs with the indices `which`, in that order.
std::vector<PatchScores> score_prepared(const Detector& detector, const ViewMaker& maker,
                                        const std::vector<Views>& photographs, const std::vector<int>& which);

/// For int8, from up to 64 of the `training` photographs (indices of `samples`, evenly spaced), not aligned:
/// the alignment is chosen with the network that the ranges make.
ActivationRanges activation_ranges(const Backbone& backbone, InputOptions input,
                                   const std::vector<Sample>& samples, const std::vector<int>& training);

/// Where the model's record keeps it.
inline constexpr const char* kArithmeticKey = "arithmetic_effect";

/// Image scores by the model's engine and precision against those by libtorch in float32, with the same
/// weights of the method.
struct ArithmeticEffect {
  int images = 0;
  double largest = 0, mean = 0;  ///< magnitude of the difference
  int flipped = 0;               ///< verdicts that the threshold gives otherwise
  double span = 0;               ///< of all good scores, lowest to highest: what the differences compare with

  nlohmann::json to_json() const;
};

/// Of up to 32 of the photographs `kept_out`, evenly spaced; `scores` are theirs, in that order, by the
/// model's arithmetic.
ArithmeticEffect arithmetic_effect(const TrainConfig& config, const Backbone& backbone,
                                   const TensorDict& weights, const ViewMaker& maker,
                                   const std::vector<Views>& photographs, const std::vector<int>& kept_out,
                                   const std::vector<PatchScores>& scores, const Decision& decision);

}  // namespace glint
