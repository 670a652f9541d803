// SimpleNet and INP-Former side by side: SimpleNet's scores decide together with INP-Former's, INP-Former's
// draw the map. How they are combined: detect/scoring.h (Scorer), docs/hybrid.md.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

std::unique_ptr<Method> make_hybrid();

}  // namespace glint
