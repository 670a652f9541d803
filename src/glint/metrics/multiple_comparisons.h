// Many methods on the same images: which of their differences stand when all pairs are looked at together,
// and which methods form groups that cannot be told apart.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "glint/metrics/intervals.h"

namespace glint {

/// Two-sided p-value of "no difference" that belongs to a 95 % interval of a difference: the distance from
/// the value to the end on the side of zero is taken for 1.96 standard errors, as MOVER does (Zou and Donner
/// 2008), so that p < 0.05 exactly where the interval excludes zero. 1 where there is no interval.
double p_from_interval(const Estimate& difference);

/// Holm's adjusted p-values (Scandinavian Journal of Statistics 6, 1979), in the order given: those below a
/// level are the differences that stand at this family-wise level, whatever the dependence between them.
std::vector<double> holm_adjusted(std::span<const double> p);

/// Compact letter display (Piepho, Journal of Computational and Graphical Statistics 13, 2004; insert and
/// absorb): items that share a letter cannot be told apart, each two that share none can. `told_apart`: pairs
/// of indices below `items`. Letters follow the order of the items: the first item's is "a".
std::vector<std::string> group_letters(int items, const std::vector<std::pair<int, int>>& told_apart);

}  // namespace glint
