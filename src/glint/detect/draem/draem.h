// DRAEM (Zavrtanik, Kristan and Skocaj, ICCV 2021): a network that gives a picture back without its synthetic
// defect, and one that finds the defect by comparing both.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

/// The picture and its mask, turned by the same angle about the centre, borders mirrored.
DefectiveImage turned_defect(const DefectiveImage& picture, double angle_deg);

std::unique_ptr<Method> make_draem();

}  // namespace glint
