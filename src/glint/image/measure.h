// What a dataset audit measures of one photograph (exposure, colour, light, focus, noise, framing) and of its
// mask, and the perceptual hash. Descriptive statistics; no verdict.
#pragma once

#include <cstdint>

#include "glint/image/image.h"

namespace glint {

/// Positions are shares of width and height, from the top left. NaN where a value has no meaning.
struct ImageMeasures {
  double brightness = 0;      ///< mean luma (ITU-R BT.601), 0 to 255
  double red_over_green = 1;  ///< ratio of the channels' means: white balance
  double blue_over_green = 1;
  double corner_over_centre = 1;  ///< mean luma of the four corner tenths over that of the central third
  double highlight_share = 0;     ///< pixels with luma >= 250
  double highlight_x = 0, highlight_y = 0;  ///< centroid of those pixels; NaN without any
  double focus = 0;  ///< variance of the Laplacian of lightly smoothed luma, over the luma's variance
  double noise = 0;  ///< standard deviation of the sensor noise, grey levels (Immerkaer 1996)
  double part_x = 0, part_y = 0;  ///< centroid of the part: Otsu's class that touches the border less
  double part_share = 0;          ///< of the image's area
  double part_angle_deg = 0;      ///< long axis by second moments, in (-90, 90]
  double part_elongation = 1;     ///< long over short axis; the angle means little near 1
  double part_border_share = 0;   ///< border pixels that belong to the part: it is cut off when large
};

/// Any size of at least 8x8. Framing is measured on a copy of at most 256 pixels.
ImageMeasures measure_image(const RgbImage& image);

/// The part by brightness alone (as part_share measures it), at the image's size; coarse on large images.
Mask part_mask(const RgbImage& image);

struct MaskMeasures {
  std::int64_t area_px = 0;
  int regions = 0;                  ///< 8-connected
  int holes = 0;                    ///< enclosed background regions
  double smallest_diameter_px = 0;  ///< of the smallest region: that of the circle of equal area
  /// Mean luma gradient on the mask's outline over that inside. A tight mask lies on the defect's edge, so
  /// the outline has the larger gradient; far below 1 the outline runs through plain surface. NaN when the
  /// mask has no inside.
  double outline_over_inside = 0;
};

/// `mask` has the image's size.
MaskMeasures measure_mask(const RgbImage& image, const Mask& mask);

/// 64-bit hash of the low frequencies of the discrete cosine transform of a 32x32 grey copy: bit i says
/// whether coefficient i is above the median (Zauner 2010). Near duplicates differ in few bits.
std::uint64_t perceptual_hash(const RgbImage& image);

inline constexpr int kPerceptualHashBits = 64;

}  // namespace glint
