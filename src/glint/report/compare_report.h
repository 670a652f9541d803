// A comparison as one self-contained HTML file: figures, paired differences, classes, maps side by side.
#pragma once

#include <string>

#include "glint/study/compare.h"

namespace glint {

std::string comparison_report(const Comparison& comparison, const Dataset& dataset);

}  // namespace glint
