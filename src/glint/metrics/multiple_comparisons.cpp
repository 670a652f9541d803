#include "glint/metrics/multiple_comparisons.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace glint {
namespace {

/// "a" ... "z", "aa", "ab", ...
std::string letter(std::size_t index) {
  std::string out;
  for (++index; index > 0; index = (index - 1) / 26)
    out.insert(out.begin(), static_cast<char>('a' + (index - 1) % 26));
  return out;
}

using Group = std::vector<bool>;  // of the items

bool within(const Group& inner, const Group& outer) {
  for (std::size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] && !outer[i]) return false;
  }
  return true;
}

/// Leaves the groups that lie in no other; of equal ones the first.
void absorb(std::vector<Group>& groups) {
  std::vector<Group> kept;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    bool lies_in_another = false;
    for (std::size_t j = 0; j < groups.size() && !lies_in_another; ++j) {
      if (i == j || !within(groups[i], groups[j])) continue;
      lies_in_another = groups[i] != groups[j] || j < i;
    }
    if (!lies_in_another) kept.push_back(groups[i]);
  }
  groups = std::move(kept);
}

}  // namespace

double p_from_interval(const Estimate& difference) {
  if (!std::isfinite(difference.value) || !std::isfinite(difference.ci_low) ||
      !std::isfinite(difference.ci_high))
    return 1;
  const double reach =
      difference.value > 0 ? difference.value - difference.ci_low : difference.ci_high - difference.value;
  if (difference.value == 0) return 1;
  if (reach <= 0) return 0;
  const double z = normal_quantile(0.5 + kConfidence / 2) * std::abs(difference.value) / reach;
  return std::erfc(z / std::sqrt(2.0));
}

std::vector<double> holm_adjusted(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> out(p.size());
  double least = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    least = std::max(least, std::min(1.0, static_cast<double>(p.size() - k) * p[order[k]]));
    out[order[k]] = least;
  }
  return out;
}

std::vector<std::string> group_letters(int items, const std::vector<std::pair<int, int>>& told_apart) {
  const auto n = static_cast<std::size_t>(items);
  std::vector<Group> groups;
  if (n > 0) groups.emplace_back(n, true);
  for (const auto& [first, second] : told_apart) {
    const auto a = static_cast<std::size_t>(first), b = static_cast<std::size_t>(second);
    std::vector<Group> divided;
    for (const Group& group : groups) {
      divided.push_back(group);
      if (!group[a] || !group[b]) continue;
      divided.back()[a] = false;
      divided.push_back(group);
      divided.back()[b] = false;
    }
    groups = std::move(divided);
    absorb(groups);
  }
  // By their first items, so that the letters run down the table.
  std::sort(groups.begin(), groups.end(), std::greater<>());
  std::vector<std::string> out(n);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (std::size_t i = 0; i < n; ++i) {
      if (groups[g][i]) out[i] += letter(g);
    }
  }
  return out;
}

}  // namespace glint
