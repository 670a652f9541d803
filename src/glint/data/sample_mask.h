// The mask of a sample as a file has it, or several files.
#pragma once

#include "glint/data/dataset.h"
#include "glint/image/mask_file.h"

namespace glint {

/// Reads sample.mask, which must be set, with its further masks: their union. Error(kBadInput) names a file
/// that does not decode, or that is of another size than the first.
MaskFile read_sample_mask(const Sample& sample);

}  // namespace glint
