// What SuperSimpleNet trains with: defects drawn into features, the losses, the schedule.
#pragma once

#include <torch/types.h>

#include <cstdint>

#include "glint/detect/supersimplenet/options.h"

namespace glint {

/// A step's synthetic defects for `elements` maps of height x width cells.
struct SyntheticDefects {
  torch::Tensor mask;   ///< [E, 1, h, w] float32, 1 = defect; an element may be empty
  torch::Tensor noise;  ///< [E, C, h, w], zero outside the mask
};
SyntheticDefects draw_defects(int elements, int channels, int height, int width, torch::ScalarType type,
                              const SuperSimpleNetOptions& options, std::uint64_t seed);

/// (1 - p)^exponent * -ln p, p = the probability that the logit gives the label (1 = anomalous); mean.
torch::Tensor focal_loss(const torch::Tensor& logits, const torch::Tensor& labels, double exponent);

struct SuperSimpleNetLosses {
  torch::Tensor normal, anomalous;       ///< truncated L1 of the map's cells; 0 where there are none
  torch::Tensor map_focal, score_focal;  ///< on the logits' sigmoid
  torch::Tensor total() const { return normal + anomalous + map_focal + score_focal; }
};
/// map [E, 1, h, w] and score [E]: logits; an element is anomalous where its mask is not empty.
SuperSimpleNetLosses supersimplenet_losses(const torch::Tensor& map, const torch::Tensor& score,
                                           const torch::Tensor& mask, double margin, double focal_exponent);

/// Of all step sizes in pass `pass` (from 0) of `passes`: `factor` from 80 % on, its square from 90 % on.
double learning_rate_share(int pass, int passes, double factor);

}  // namespace glint
