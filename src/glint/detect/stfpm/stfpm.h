// STFPM, student-teacher feature pyramid matching (Wang, Han, Ding, Huang, BMVC 2021): a student network
// learns to give the frozen backbone's layer1 to layer3 on good parts; where they differ is anomalous.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

std::unique_ptr<Method> make_stfpm();

}  // namespace glint
