// Figures as every JSON file writes them.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>

#include "glint/metrics/intervals.h"

namespace glint {

/// null for what is not finite: JSON has no NaN.
inline nlohmann::json number_json(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

inline nlohmann::json estimate_json(const Estimate& estimate) {
  return {{"value", number_json(estimate.value)},
          {"ci_low", number_json(estimate.ci_low)},
          {"ci_high", number_json(estimate.ci_high)}};
}

}  // namespace glint
