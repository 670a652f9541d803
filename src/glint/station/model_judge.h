// A judge from a model file.
#pragma once

#include <string>

#include "glint/station/judge.h"

namespace glint {

/// Loads models for a device ("auto", "cpu", "cuda") and runs one blank image, so that the first part is not
/// the slow one.
JudgeLoader model_judge_loader(const std::string& device);

}  // namespace glint
