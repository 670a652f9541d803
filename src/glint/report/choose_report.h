// A choice between detectors as one self-contained HTML file: the ranking with its uncertainty, the reason,
// what each candidate finds, and what was not tried.
#pragma once

#include <string>

#include "glint/choose/choose.h"

namespace glint {

std::string choose_report(const ChooseOutcome& outcome, const Dataset& dataset);

}  // namespace glint
