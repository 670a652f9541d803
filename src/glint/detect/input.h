// From a photograph to the network's input, and back from the detector's map to the photograph's pixels.
// Several inputs of one photograph: view.h.
#pragma once

#include "glint/base/options.h"
#include "glint/image/image.h"

namespace glint {

/// whole: the whole image is resized to the canvas. centre_crop: the published preparation; the shorter side
/// becomes `resize`, then the central size x size is cut out, so that the outer ring is never scored.
/// square_crop: the same with both sides brought to `resize`, aspect ignored (published INP-Former).
enum class Framing { kWhole, kCentreCrop, kSquareCrop };
template <>
struct EnumNames<Framing> {
  static constexpr std::pair<Framing, std::string_view> table[] = {{Framing::kWhole, "whole"},
                                                                   {Framing::kCentreCrop, "centre_crop"},
                                                                   {Framing::kSquareCrop, "square_crop"}};
};

/// Whether the part is brought to one pose before anything else (docs/alignment.md). auto: training
/// decides; a trained model says none or rigid.
enum class Align { kNone, kRigid, kAuto };
template <>
struct EnumNames<Align> {
  static constexpr std::pair<Align, std::string_view> table[] = {
      {Align::kNone, "none"}, {Align::kRigid, "rigid"}, {Align::kAuto, "auto"}};
};

/// Of the network's input, either way: longer ones show too little of the photograph along the shorter side.
inline constexpr double kLargestAspect = 20;

struct InputOptions {
  Framing framing = Framing::kWhole;
  int size = 288;     ///< side of the network's input, pixels; of a square of the same area for a rectangle
  double aspect = 1;  ///< width over height of the input; 0: the photographs', which training then fills in
  int resize = 329;   ///< shorter side (square_crop: both sides) before the crop
  int tiles = 1;      ///< per side; from 2 on the photograph becomes tiles x tiles overlapping inputs
  Align align = Align::kNone;

  /// Of one input: about size x size pixels at the aspect, which must be known, in whole cells of the
  /// network.
  ImageSize input_size() const;
  /// From one tile to the next, pixels: at most three quarters of an input, in steps that keep the network's
  /// grids.
  ImageSize tile_step() const;
  /// What the inputs cover together; one input's size when there is one.
  ImageSize canvas() const;

  void describe(OptionTable& table);
  void validate() const;
};

/// 8-bit RGB of the canvas' size.
RgbImage prepare_input(const RgbImage& image, const InputOptions& options);

/// Brings a map over the canvas to width x height, the photograph's size. With centre_crop, pixels
/// that were never scored get the map's smallest value.
ScoreMap map_to_image(const ScoreMap& map, const InputOptions& options, int width, int height);

}  // namespace glint
