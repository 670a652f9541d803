// What takes single pixels and small specks out of a map before its maximum decides.
#pragma once

#include "glint/image/grey.h"

namespace glint {

/// Median of 3 x 3 with the border's pixels repeated.
Grid<double> median_3x3(const Grid<double>& values);

/// Area opening (Vincent 1993): each value lowered to the highest level at which the 8-connected region of
/// places with at least that level around it has `area` places. So a map's maximum is the highest threshold
/// that leaves a region of that area. Fewer places than `area`: all get the smallest value.
ScoreMap area_opening(const ScoreMap& map, int area);

/// Largest value of each block of `side` x `side` (smaller at the right and at the bottom).
ScoreMap block_maximum(const ScoreMap& map, int side);

}  // namespace glint
