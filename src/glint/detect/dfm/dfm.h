// DFM (deep feature modelling, Ahuja et al., 2019): one subspace for the whole pooled feature map of good
// parts. A cheap judge of whole images of parts that always lie the same way; its map is coarse.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

std::unique_ptr<Method> make_dfm();

}  // namespace glint
