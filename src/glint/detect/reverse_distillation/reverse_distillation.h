// Reverse Distillation from a one-class embedding (Deng and Li, CVPR 2022): the frozen backbone's layer1 to
// layer3 are pressed into a small code, from which a decoder that saw good parts alone gives them back; where
// it cannot is anomalous.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

std::unique_ptr<Method> make_reverse_distillation();

}  // namespace glint
