// The page of `glint limit`.
#pragma once

#include <string>

#include "glint/limit/limit.h"

namespace glint {

std::string limit_report(const LimitStudy& study, const Dataset& dataset, const std::string& model);

}  // namespace glint
