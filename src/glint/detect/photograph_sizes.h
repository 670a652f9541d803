// The sizes of the photographs that a model was trained and calibrated on, and what follows for one of
// another size: everything is brought to the network's input, so that another shape is distorted in another
// way, and fewer pixels show less than the threshold was set for.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "glint/image/image.h"

namespace glint {

struct PhotographSizes {
  int smallest_width = 0, largest_width = 0;     ///< pixels
  int smallest_height = 0, largest_height = 0;   ///< pixels
  double lowest_aspect = 0, highest_aspect = 0;  ///< width / height

  void add(int width, int height);  ///< the first one starts from the zeros above

  /// Why a photograph of this size gets no verdict, empty when it gets one. Refused: an aspect ratio outside
  /// the seen ones by more than 2 %; fewer pixels along the shorter side than the smallest seen one had (by
  /// more than 2 %) and than the network's `input` has.
  std::string refusal(int width, int height, ImageSize input) const;
  /// What to say of a photograph that is judged although its size was not seen; empty when it was.
  std::string notice(int width, int height) const;

  nlohmann::json to_json() const;
  /// Error(kBadInput) naming `name` when a number is missing or impossible.
  static PhotographSizes from_json(const nlohmann::json& record, const std::string& name);
};

}  // namespace glint
