// CutPaste (Li, Sohn, Yoon and Pfister, CVPR 2021), three classes: a network learns to tell good pictures
// from ones with a pasted patch and ones with a pasted scar; how its vectors of good parts lie decides.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

std::unique_ptr<Method> make_cutpaste();

}  // namespace glint
