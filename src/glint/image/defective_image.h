// A picture with a defect that was put there, and where it is.
#pragma once

#include "glint/image/image.h"

namespace glint {

struct DefectiveImage {
  RgbImage image;
  Mask mask;  ///< of the image's size
};

}  // namespace glint
