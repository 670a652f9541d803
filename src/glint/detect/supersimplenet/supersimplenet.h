// SuperSimpleNet (Rolih et al., ICPR 2024), trained on good parts alone: SimpleNet's idea with a finer grid,
// noise in Perlin-shaped patches, truncated L1 and focal losses, and a head of its own for the image score.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

std::unique_ptr<Method> make_supersimplenet();

}  // namespace glint
