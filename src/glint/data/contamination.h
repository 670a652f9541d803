// Defective parts among the training images, on purpose: how much a detector that is meant to learn from good
// parts loses when nobody sorted them out (Real-IAD's fully unsupervised setting).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "glint/data/dataset.h"

namespace glint {

/// One dataset per share, all with the same test set.
struct ContaminatedSets {
  std::vector<Dataset> sets;  ///< as the shares
  std::vector<int> moved;     ///< defective parts among each one's training images
  std::vector<std::string>
      pool;  ///< ids of the parts that left the test set, in the order in which they train
};

/// `shares`: of defective parts among all training images, each in [0, 1). Good training images stay as they
/// are, so that the parts that are added are the only difference. The parts are drawn from the defective test
/// images, `seed` decides which; a smaller share trains with the first of those of a larger one. All that the
/// largest share needs leave the test set of every dataset, with every file of equal bytes: no part trains
/// one detector and tests another. In training they count as good, as somebody who does not know would file
/// them: they may also calibrate. Error(kConfig) names a share that is outside, or that leaves fewer than two
/// defective test images, and the largest that is possible.
ContaminatedSets contaminate(const Dataset& dataset, std::span<const double> shares, std::uint64_t seed);

}  // namespace glint
