// Histograms of oriented gradients (Dalal and Triggs, CVPR 2005) with the constants of OpenCV's
// HOGDescriptor: blocks of 16 x 16 pixels every 8, cells of 8 x 8, 9 unsigned directions.
#pragma once

#include <vector>

#include "glint/image/grey.h"

namespace glint {

inline constexpr int kHogStride = 8, kHogBlock = 16, kHogBins = 9, kHogLength = 4 * kHogBins;

struct HogBlocks {
  int columns = 0, rows = 0;
  std::vector<float> values;  ///< [rows, columns, kHogLength]; within a block cells column by column
};

/// Of every full block. Gradients by (-1, 0, 1) of the square root of the grey levels, border mirrored (edge
/// pixel not repeated); votes shared linearly between directions and between cells, weighted by a Gaussian of
/// 4 pixels; each block normalised to length 1, cut at 0.2 and normalised again (L2-Hys).
HogBlocks oriented_gradients(const GreyImage& image);

}  // namespace glint
