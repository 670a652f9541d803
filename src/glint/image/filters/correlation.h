// Zero-mean normalised cross-correlation in double precision: of a template at every position, and of two
// pictures in small windows.
#pragma once

#include "glint/image/grey.h"

namespace glint {

/// Correlation, -1 to 1, of the template with every place of the picture where it fits: [w - tw + 1, h - th +
/// 1]. Directly, one product per pixel and position: for few positions. 0 where one of both is flat.
Grid<double> match_template(const Grid<double>& image, const Grid<double>& pattern);

/// Correlation of two pictures of one size in every full window of `side` x `side` pixels. Where the
/// reference's standard deviation is below `least_deviation` there is nothing to compare: 1. A picture's
/// deviation below it counts as it, so that structure that is gone correlates little.
Grid<double> local_correlation(const Grid<double>& image, const Grid<double>& reference, int side,
                               double least_deviation);

Grid<double> to_grid(const GreyImage& image);

}  // namespace glint
