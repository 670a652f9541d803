// Methods that compare grey levels with good parts, pixel by pixel or window by window, without any network:
// variation model, template matching, morphology, threshold. Differences to published forms: docs/recipes.md.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

/// Mean (or median) and deviation of every pixel over good parts; position-bound.
std::unique_ptr<Method> make_variation_model();
/// Normalised cross-correlation with the mean of good parts, whole or in windows; position-bound.
std::unique_ptr<Method> make_template();
/// White and black top-hats of three sizes, each against what good parts show of it.
std::unique_ptr<Method> make_morphology();
/// Difference to the mean of good parts (position-bound), or a top-hat, and the area above a level.
std::unique_ptr<Method> make_threshold();

}  // namespace glint
