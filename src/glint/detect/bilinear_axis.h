// Where the positions of a fine grid lie between those of a coarse one, along one axis.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace glint {

struct AxisPosition {
  std::int64_t low = 0, high = 0;
  float share = 0;  ///< of the higher one
};

/// Without corner alignment (torch's align_corners = false).
inline void place_axis(std::int64_t coarse, std::int64_t fine, std::vector<AxisPosition>& out) {
  out.resize(static_cast<std::size_t>(fine));
  const float scale = static_cast<float>(coarse) / static_cast<float>(fine);
  for (std::int64_t i = 0; i < fine; ++i) {
    const float at = std::max(0.0F, (static_cast<float>(i) + 0.5F) * scale - 0.5F);
    const auto low = std::min(static_cast<std::int64_t>(at), coarse - 1);
    out[static_cast<std::size_t>(i)] = {low, std::min(low + 1, coarse - 1), at - static_cast<float>(low)};
  }
}

}  // namespace glint
