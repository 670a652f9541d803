// Boxes around defects, for datasets that have them instead of masks: boxes.csv in the dataset's folder. A
// box is no mask: it enters no pixel figure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "glint/data/dataset.h"

namespace glint {

inline constexpr const char* kBoxFile = "boxes.csv";

/// By the image's id (where it lies in the dataset).
using BoxList = std::map<std::string, std::vector<DefectBox>>;

/// Columns image, label, x0, y0, x1, y1 (pixels; x1 and y1 are exclusive). Error(kBadInput) names `file` and
/// the row: a column that is missing, a side that is no number or not below its opposite.
BoxList parse_boxes(std::string_view text, const std::string& file);
std::string box_csv(const BoxList& boxes);

/// Gives the test samples their boxes when the dataset's folder has boxes.csv. Error(kBadInput) names an
/// entry of an image that is not among them.
void read_boxes(Dataset& dataset);

}  // namespace glint
