// Methods that compare hand-crafted texture descriptors of cells with good parts: local binary patterns,
// histograms of oriented gradients, Gabor energies. No network. Each with a choice of what a good cell is:
// cell_model.h. Differences to published forms: docs/recipes.md.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

std::unique_ptr<Method> make_lbp();
std::unique_ptr<Method> make_hog();
std::unique_ptr<Method> make_gabor();

}  // namespace glint
