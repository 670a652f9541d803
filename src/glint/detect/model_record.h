// What a model file's record must look like before anything reads it. The readers (report, info, studies)
// then rely on it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "glint/detect/training_record.h"

namespace glint {

/// The record's "training". Error(kBadInput) naming `name` and the entry that is missing or of the wrong
/// type.
TrainingRecord read_training(const nlohmann::json& record, const std::string& name);

/// Error(kBadInput) in the same way, of every other entry of docs/model-file.md that the program reads again,
/// with the data set's images down to their values.
void check_record(const nlohmann::json& record, const std::string& name);

}  // namespace glint
