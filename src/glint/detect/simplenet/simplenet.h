// SimpleNet as a method: training loop with the tracker, and the trained detector.
#pragma once

#include <memory>

#include "glint/detect/detector.h"
#include "glint/detect/simplenet/options.h"

namespace glint {

std::unique_ptr<Method> make_simplenet();

/// A run is saturated when, in its last meta-epoch, the shares of real and of fake features past their
/// margins both reach kSaturatedShare and the loss falls below kSaturatedLoss (the study's "both near 1, loss
/// near 0").
inline constexpr double kSaturatedShare = 0.995;
inline constexpr double kSaturatedLoss = 0.01;

/// Standard deviation over all values of WideResNet-50-2 (V1) embeddings of natural images at 288 pixels, the
/// features for which noise_std = 0.015 was published. From the published fingerprint of layer2 (std 0.120)
/// and layer3 (0.088) after averaging 6 and 12 neighbours; an order of magnitude, not a constant of nature.
inline constexpr double kWideResNetSpread = 0.07;

}  // namespace glint
