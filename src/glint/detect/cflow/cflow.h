// CFLOW-AD (Gudovskiy et al., WACV 2022): normalizing flows over the vectors of each layer, conditioned on
// their position, trained by likelihood on good parts alone.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

std::unique_ptr<Method> make_cflow();

}  // namespace glint
