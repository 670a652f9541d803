// How far apart the rows of a memory bank lie, row by row. Good parts vary more in some places than in
// others: a distance that is nothing where rows are sparse is a lot where they are dense. As the local
// outlier factor (Breunig et al., SIGMOD 2000) sets a point's distance beside its neighbours', but with one
// look per patch.
#pragma once

#include <torch/types.h>

#include "glint/nn/nearest.h"

namespace glint {

/// The unit of distances to each row, float32 [rows], positive: the distance to the row's `neighbours`-th
/// nearest other row, plus half of that distance's median over the bank, so that twins do not make a unit
/// near zero; times 2/3, so that the unit is the median itself in a bank of even density. With a bank of one
/// row, or of equal ones: 1.
torch::Tensor density_units(const NearestRows& bank, std::int64_t neighbours);

}  // namespace glint
