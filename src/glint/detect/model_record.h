// What a model file's record must look like before anything reads it. The readers (report, info, studies)
// then rely on it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace glint {

/// Error(kBadInput) naming `name` and the entry that is missing or of the wrong type. Checked: every entry of
/// docs/model-file.md that the program reads again, with the training record's series and curves and the data
/// set's images down to their values. Readings of null, which were not measured, are taken out of the series.
void check_record(nlohmann::json& record, const std::string& name);

}  // namespace glint
