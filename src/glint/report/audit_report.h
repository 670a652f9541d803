// The audit as a self-contained HTML page: findings with thumbnails first, then test set, masks, the ranking
// of the training images, and every measure over the images.
#pragma once

#include <string>

#include "glint/audit/audit.h"

namespace glint {

std::string audit_report(const Audit& audit, const Dataset& dataset);

}  // namespace glint
