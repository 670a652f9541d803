// INP-Former as a detection method.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

std::unique_ptr<Method> make_inp_former();

}  // namespace glint
