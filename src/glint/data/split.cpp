#include "glint/data/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "glint/base/error.h"
#include "glint/base/random.h"

namespace glint {

std::vector<int> all_indices(int n) {
  std::vector<int> out(static_cast<std::size_t>(n));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

Split holdout_split(int n, double share, int least, std::uint64_t seed) {
  const int held = std::min(n, std::max(least, static_cast<int>(std::lround(share * n))));
  GLINT_CHECK(held < n);
  const std::vector<int> order = permutation(n, Rng(seed, "split.holdout"));
  Split out;
  out.held_out.assign(order.begin(), order.begin() + held);
  out.train.assign(order.begin() + held, order.end());
  std::sort(out.held_out.begin(), out.held_out.end());
  std::sort(out.train.begin(), out.train.end());
  return out;
}

Split few_shot_split(const std::vector<std::string>& group, int shots, std::uint64_t seed) {
  const int n = static_cast<int>(group.size());
  std::map<std::string, int> taken;
  Split out;
  for (const int i : permutation(n, Rng(seed, "split.few_shot")))
    (taken[group[i]]++ < shots ? out.train : out.held_out).push_back(i);
  std::sort(out.train.begin(), out.train.end());
  std::sort(out.held_out.begin(), out.held_out.end());
  return out;
}

Split share_split(const std::vector<int>& which, double share, int n, std::uint64_t seed) {
  const auto size = static_cast<int>(which.size());
  GLINT_CHECK(size >= 2 && share > 0 && share < 1);
  const int held = std::clamp(static_cast<int>(std::lround(share * size)), 1, size - 1);
  const std::set<int> members(which.begin(), which.end());
  Split out;
  for (const int i : permutation(n, Rng(seed, "split.share"))) {
    if (members.contains(i)) (std::ssize(out.held_out) < held ? out.held_out : out.train).push_back(i);
  }
  std::sort(out.train.begin(), out.train.end());
  std::sort(out.held_out.begin(), out.held_out.end());
  return out;
}

std::vector<Split> fold_splits(int n, int folds, std::uint64_t seed) {
  GLINT_CHECK(folds >= 2 && folds <= n);
  const std::vector<int> order = permutation(n, Rng(seed, "split.folds"));
  std::vector<Split> out(static_cast<std::size_t>(folds));
  for (int i = 0; i < n; ++i) {
    for (int f = 0; f < folds; ++f) (i % folds == f ? out[f].held_out : out[f].train).push_back(order[i]);
  }
  for (Split& split : out) {
    std::sort(split.held_out.begin(), split.held_out.end());
    std::sort(split.train.begin(), split.train.end());
  }
  return out;
}

}  // namespace glint
