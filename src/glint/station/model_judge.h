// A judge from a model file.
#pragma once

#include <string>

#include "glint/station/judge.h"

namespace glint {

/// Loads models for a device ("auto", "cpu", "cuda") and runs one blank image, so that the first part is not
/// the slow one. Judges in the precision that the model was calibrated in. Its judge() throws for a
/// photograph of a shape that the model does not know, unless `any_size`.
JudgeLoader model_judge_loader(const std::string& device, bool any_size = false);

}  // namespace glint
