// From a photograph to the network's input, and back from the detector's map to the photograph's pixels.
#pragma once

#include "glint/base/options.h"
#include "glint/image/image.h"

namespace glint {

/// whole: the whole image is resized to size x size. centre_crop: the published preparation; the shorter side
/// becomes `resize`, then the central size x size is cut out, so that the outer ring is never scored.
/// square_crop: the same with both sides brought to `resize`, aspect ignored (published INP-Former).
enum class Framing { kWhole, kCentreCrop, kSquareCrop };
template <>
struct EnumNames<Framing> {
  static constexpr std::pair<Framing, std::string_view> table[] = {{Framing::kWhole, "whole"},
                                                                   {Framing::kCentreCrop, "centre_crop"},
                                                                   {Framing::kSquareCrop, "square_crop"}};
};

struct InputOptions {
  Framing framing = Framing::kWhole;
  int size = 288;    ///< side of the network's input, pixels
  int resize = 329;  ///< shorter side (square_crop: both sides) before the crop

  void describe(OptionTable& table);
  void validate() const;
};

/// 8-bit RGB, size x size.
RgbImage prepare_input(const RgbImage& image, const InputOptions& options);

/// Brings a map over the network's input to width x height, the photograph's size. With centre_crop, pixels
/// that were never scored get the map's smallest value.
ScoreMap map_to_image(const ScoreMap& map, const InputOptions& options, int width, int height);

}  // namespace glint
