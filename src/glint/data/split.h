// How good parts are divided between training and calibration. Seeded; depends only on the sorted file list.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace glint {

struct Split {
  std::vector<int> train, held_out;  ///< indices, ascending
};

/// 0 ... n-1: all of n images.
std::vector<int> all_indices(int n);

/// A seeded `share` of n, at least `least`, is held out.
Split holdout_split(int n, double share, int least, std::uint64_t seed);

/// `shots` seeded images of each group train, all others are held out. `group` per image (its category).
Split few_shot_split(const std::vector<std::string>& group, int shots, std::uint64_t seed);

/// A seeded `share` of `which` (of n images) is held out: at least one, and at least one trains. Of another
/// choice of images the same are held out as far as possible. `which` has two at least.
Split share_split(const std::vector<int>& which, double share, int n, std::uint64_t seed);

/// k folds of near-equal size; fold f's held_out are scored by a detector trained on its train.
std::vector<Split> fold_splits(int n, int folds, std::uint64_t seed);

}  // namespace glint
