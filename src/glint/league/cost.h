// What a cell will take, so that a cluster can be asked for it.
#pragma once

#include "glint/fit/config.h"
#include "glint/league/plan.h"

namespace glint {

/// From the size of the training alone: what the method keeps and learns (Method::fit_size), the photographs
/// and their features. Rough, and rather too high; finished cells give better figures (measured_costs).
CellCost estimated_cost(const TrainConfig& config, const Dataset& dataset);

}  // namespace glint
