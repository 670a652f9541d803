// The evaluation as one self-contained HTML file: verdict first, then figures, gallery, data and provenance.
#pragma once

#include <string>

#include "glint/evaluate/evaluate.h"

namespace glint {

/// One fixed scale for every map of an evaluation, in score units: from the median good pixel peak to
/// twice as far above the threshold, so that the threshold is mid-scale.
ColourScale colour_scale(const Evaluation& evaluation);

/// `extra` is a plain-text remark shown under the key figures (the oracle's line), may be empty.
std::string evaluation_report(const Evaluation& evaluation, const Model& model, const Dataset& dataset,
                              const Inspector& inspector, const std::string& extra);

}  // namespace glint
