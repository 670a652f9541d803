// Size changes and smoothing, with the exact conventions that published scores depend on.
#pragma once

#include <cstdint>
#include <vector>

#include "glint/image/image.h"

namespace glint {

/// The size with the same aspect, rounded down, whose longer side is at most `side` pixels; never larger.
ImageSize fitted_size(ImageSize size, int side);

/// Bilinear resize with antialiasing: a triangle filter whose support grows with the reduction, coordinates
/// centred on pixels, weights normalised at the borders (the convention of Pillow and of torchvision with
/// antialias=true). Two passes, vertical first (there: horizontal first), rounded to 8 bits only at the end.
/// Aspect ratio is not kept.
RgbImage resize_antialiased(const RgbImage& image, int width, int height);

/// A rectangle of a picture or map that may be far too large to be made: [x, x + width) x [y, y + height) of
/// `full_width` x `full_height`, pixels.
struct Window {
  std::int64_t full_width = 0, full_height = 0;
  std::int64_t x = 0, y = 0;
  int width = 0, height = 0;
};

/// The window of the picture resized to its full size, pixel for pixel what resize_antialiased and crop give.
/// Memory: the window's alone. The window must lie inside.
RgbImage resize_window(const RgbImage& image, const Window& window);

/// Rectangle [x, x+width) x [y, y+height); must lie inside.
RgbImage crop(const RgbImage& image, int x, int y, int width, int height);

/// Affine warp about the image centre with bilinear sampling and mirrored borders (edge pixel repeated).
/// Angle in degrees counter-clockwise, shift as a share of width and height, scale > 1 enlarges.
RgbImage warp_about_centre(const RgbImage& image, double angle_deg, double shift_x, double shift_y,
                           double scale, bool flip_horizontal);

/// Where a resize lays its samples: on pixel centres (align_corners = false), or so that the corner samples
/// of both maps coincide (align_corners = true).
enum class SampleAlignment { kPixelCentres, kCorners };

/// Bilinear without antialiasing (torch interpolate), for maps that grow.
ScoreMap resize_bilinear(const ScoreMap& map, int width, int height,
                         SampleAlignment alignment = SampleAlignment::kPixelCentres);

/// Where a sample of the resized row lies: `t` of the way from sample `low` to sample `high`.
struct BilinearTap {
  std::int64_t low, high;
  float t;
};
/// One for each of `out` samples over `in` ones, along one axis.
std::vector<BilinearTap> bilinear_taps(std::int64_t in, int out, SampleAlignment alignment);

/// The map as the window of a map of the full size that is `outside` everywhere else, resized to
/// width x height as resize_bilinear does (pixel centres). The full map is never made. The window must lie
/// inside and have the map's size.
ScoreMap resize_framed(const ScoreMap& map, const Window& window, float outside, int width, int height);

/// Gaussian of `sigma` cut to 5 x 5 taps and renormalised, zero beyond the border (published INP-Former).
ScoreMap gaussian_smooth_five(const ScoreMap& map, double sigma);

/// Gaussian with standard deviation `sigma` pixels, radius int(4 sigma + 0.5), border mirrored with the edge
/// pixel repeated: scipy.ndimage.gaussian_filter's defaults. sigma = 0 returns the map unchanged.
ScoreMap gaussian_smooth(const ScoreMap& map, double sigma);

/// The normalised taps that gaussian_smooth uses, 2 * radius + 1 of them.
std::vector<float> gaussian_taps(double sigma);
std::vector<float> gaussian_taps(double sigma, int radius);

}  // namespace glint
