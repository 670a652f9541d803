// SimpleNet's loss on the discriminator's outputs D (high = normal), with its gradient: the hinge of the
// published code, mean over the good rows of max(0, m - D) plus mean over the defective rows of
// max(0, m + D), which is also SuperSimpleNet's truncated L1; and, on wish, SuperSimpleNet's focal term,
// mean over all rows of (1 - p)^g * -ln p with p = the sigmoid's probability of the row's label. No libtorch.
#pragma once

#include <cstdint>
#include <vector>

#include "glint/detect/simplenet/options.h"

namespace glint {

struct LossOptions {
  double margin = 0.5;  ///< m
  DiscriminatorLoss kind = DiscriminatorLoss::kHinge;
  double focal_exponent = 4;  ///< g
};

struct ScoreLoss {
  double loss = 0;
  double good_past_margin = 0;              ///< share of the good rows with D >= m
  double fake_past_margin = 0;              ///< share of the defective rows with D < -m; 0 without any
  std::vector<float> real_grad, fake_grad;  ///< d loss / d D
};

/// real, fake: D of as many real features and of their altered copies. is_fake: 0 where a copy is not altered
/// and counts as good; empty = all are defective.
ScoreLoss score_loss(const std::vector<float>& real, const std::vector<float>& fake,
                     const std::vector<std::uint8_t>& is_fake, const LossOptions& options);

}  // namespace glint
