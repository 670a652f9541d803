// SPADE (Cohen and Hoshen, 2020): the few good images most like the part, and each position's distance to the
// nearest position of theirs. Keeps the feature maps of all training images.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

/// Both recipes keep layer1 to layer3 of every image; the image is described by the mean of layer3 (the
/// published one by layer4, which glint's backbones do not have).
std::unique_ptr<Method> make_spade();

}  // namespace glint
