// PaDiM (Defard et al., 2021): a Gaussian of backbone features at every position. For parts that always lie
// the same way; free rotation makes it blind.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

/// refined: the whole image at 288 pixels. baseline: the usual re-implementation's input (256, centre 224)
/// and map.
std::unique_ptr<Method> make_padim();

}  // namespace glint
