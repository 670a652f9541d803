#include "glint/nn/learning_rate.h"

#include <cmath>
#include <numbers>

namespace glint {

double warm_cosine(std::int64_t step, std::int64_t total, std::int64_t warmup, double base, double last) {
  if (step < warmup) {
    return warmup < 2 ? base : base * static_cast<double>(step) / static_cast<double>(warmup - 1);
  }
  if (step >= total) return last;
  const double share = static_cast<double>(step - warmup) / static_cast<double>(total - warmup);
  return last + 0.5 * (base - last) * (1 + std::cos(std::numbers::pi * share));
}

}  // namespace glint
