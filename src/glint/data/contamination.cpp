#include "glint/data/contamination.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "glint/base/error.h"
#include "glint/base/random.h"

namespace glint {
namespace {

constexpr int kLeastAnomalousLeft = 2;  // a study needs two

/// Defective parts that make up `share` of the training images together with `good` good ones.
int parts_needed(double share, std::size_t good) {
  return static_cast<int>(std::lround(share / (1 - share) * static_cast<double>(good)));
}

}  // namespace

ContaminatedSets contaminate(const Dataset& dataset, std::span<const double> shares, std::uint64_t seed) {
  std::vector<const Sample*> defective;
  std::set<std::string> hashes;  // of files of equal bytes one is drawn
  for (const Sample& sample : dataset.test) {
    if (sample.anomalous() && hashes.insert(sample.sha256).second) defective.push_back(&sample);
  }
  const int most = std::max(0, static_cast<int>(std::ssize(defective)) - kLeastAnomalousLeft);
  ContaminatedSets out;
  for (const double share : shares) {
    if (!(share >= 0 && share < 1))
      fail(ErrorCode::kConfig, "contamination {}: not a share from 0 up to (but not) 1", share);
    const int needed = parts_needed(share, dataset.train.size());
    if (needed > most) {
      const double possible = static_cast<double>(most) / static_cast<double>(dataset.train.size() + most);
      fail(ErrorCode::kConfig,
           "contamination {}: {} defective parts would have to train beside {} good ones, and {} of the {} "
           "in the "
           "test set can be spared; at most {:.3f} is possible",
           share, needed, dataset.train.size(), most, defective.size(), std::floor(1000 * possible) / 1000);
    }
    out.moved.push_back(needed);
  }
  const int pool = out.moved.empty() ? 0 : *std::max_element(out.moved.begin(), out.moved.end());
  std::vector<Sample> parts;
  std::set<std::string> left;
  for (const int i : permutation(static_cast<int>(defective.size()), Rng(seed, "data.contamination"))) {
    if (std::ssize(parts) == pool) break;
    parts.push_back(*defective[i]);
    out.pool.push_back(parts.back().id);
    left.insert(parts.back().sha256);
  }
  Dataset clean = dataset;
  std::erase_if(clean.test, [&](const Sample& sample) { return left.contains(sample.sha256); });
  for (const int moved : out.moved) {
    Dataset set = clean;
    for (int i = 0; i < moved; ++i) {
      Sample sample = parts[i];
      sample.role = Role::kTrain;
      sample.label = kGoodClass;
      sample.mask.reset();
      sample.further_masks.clear();
      sample.saturations.reset();
      sample.boxes.clear();
      set.train.push_back(std::move(sample));
    }
    out.sets.push_back(std::move(set));
  }
  return out;
}

}  // namespace glint
