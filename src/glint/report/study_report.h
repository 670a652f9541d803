// The page of a study.
#pragma once

#include <string>

#include "glint/study/study.h"

namespace glint {

std::string study_page(const StudyReport& report, const Dataset& dataset);

/// `study all`: every study's question and findings, with a link to its page (NAME/study.html).
std::string study_index(const std::vector<StudyReport>& reports, const Dataset& dataset);

}  // namespace glint
