// FastFlow (Yu et al. 2021): normalizing flows of convolutional coupling blocks over each layer of the
// backbone, trained by maximum likelihood on good parts alone.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

std::unique_ptr<Method> make_fastflow();

}  // namespace glint
