// Local binary patterns (Ojala, Pietikäinen, Mäenpää 2002, PAMI 24(7)): how the pixels of a small circle lie
// to its centre, as a code for each pixel, and the labels that histograms count.
#pragma once

#include <cstdint>
#include <vector>

#include "glint/image/grey.h"

namespace glint {

/// Codes of all pixels at least `radius` from the border: [w - 2 radius, h - 2 radius]. Sample p of `points`
/// (up to 16) lies at angle 2 pi p / points, from the right, counter-clockwise, bilinearly interpolated; bit
/// p is set when it is at least the centre. Offsets are rounded to 1e-5, so that samples on pixels are exact.
Grid<std::uint16_t> binary_patterns(const GreyImage& image, int points, int radius);

/// Label of every code, uniform patterns (at most two changes around the circle) each its own, the others the
/// last one: points (points - 1) + 3 labels; 59 for 8 points.
std::vector<int> uniform_labels(int points);
/// The same whatever the rotation: a uniform pattern's count of ones, the others points + 1: points + 2
/// labels.
std::vector<int> rotation_invariant_labels(int points);

/// Share of each of `labels` labels in the rectangle [x, x + width) x [y, y + height) of codes; sums to 1.
std::vector<double> pattern_histogram(const Grid<std::uint16_t>& codes, const std::vector<int>& label_of,
                                      int labels, int x, int y, int width, int height);

/// 1/2 sum (a - b)^2 / (a + b) over the bins that are not both empty.
double chi_square(const float* a, const float* b, int bins);
double chi_square(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace glint
