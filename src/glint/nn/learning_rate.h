// How step sizes change over a training.
#pragma once

#include <cstdint>

namespace glint {

/// Learning rate of step k: linear from 0 to `base` over the warm-up, then a cosine to `last` at `total`.
double warm_cosine(std::int64_t step, std::int64_t total, std::int64_t warmup, double base, double last);

}  // namespace glint
