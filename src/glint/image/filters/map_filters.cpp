#include "glint/image/filters/map_filters.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "glint/base/error.h"

namespace glint {

Grid<double> median_3x3(const Grid<double>& values) {
  Grid<double> out(values.width, values.height);
  std::array<double, 9> near{};
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      std::size_t n = 0;
      for (int v = y - 1; v <= y + 1; ++v) {
        for (int u = x - 1; u <= x + 1; ++u)
          near[n++] = values.at(std::clamp(u, 0, out.width - 1), std::clamp(v, 0, out.height - 1));
      }
      std::nth_element(near.begin(), near.begin() + 4, near.end());
      out.at(x, y) = near[4];
    }
  }
  return out;
}

ScoreMap area_opening(const ScoreMap& map, int area) {
  GLINT_CHECK(area >= 1 && !map.values.empty());
  const auto n = static_cast<int>(map.values.size());
  if (area > n) return {map.width, map.height, *std::min_element(map.values.begin(), map.values.end())};
  std::vector<int> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  // Ties by place, so that the result does not depend on the sorting algorithm.
  std::sort(order.begin(), order.end(), [&](int a, int b) {
    return map.values[a] != map.values[b] ? map.values[a] > map.values[b] : a < b;
  });
  // Regions grow from the top as trees; once one has reached the area, its level is final for all in it that
  // have none yet.
  std::vector<int> parent(order.size(), -1), size(order.size(), 1);
  const auto root_of = [&](int i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  std::vector<std::vector<int>> waiting(order.size());  // places of a region that is still too small
  ScoreMap out(map.width, map.height);
  for (const int place : order) {
    const float value = map.values[place];
    parent[place] = place;
    waiting[place] = {place};
    int root = place;
    const int x = place % map.width, y = place / map.width;
    for (int v = std::max(0, y - 1); v <= std::min(map.height - 1, y + 1); ++v) {
      for (int u = std::max(0, x - 1); u <= std::min(map.width - 1, x + 1); ++u) {
        const int neighbour = v * map.width + u;
        if (parent[neighbour] < 0) continue;
        int other = root_of(neighbour);
        if (other == root) continue;
        if (size[other] > size[root]) std::swap(other, root);
        parent[other] = root;
        size[root] = std::min(area, size[root] + size[other]);
        waiting[root].insert(waiting[root].end(), waiting[other].begin(), waiting[other].end());
        waiting[other] = {};
      }
    }
    if (size[root] < area) continue;
    for (const int done : waiting[root]) out.values[done] = value;
    waiting[root].clear();
  }
  return out;
}

ScoreMap block_maximum(const ScoreMap& map, int side) {
  GLINT_CHECK(side >= 1);
  ScoreMap out((map.width + side - 1) / side, (map.height + side - 1) / side,
               -std::numeric_limits<float>::infinity());
  for (int y = 0; y < map.height; ++y) {
    for (int x = 0; x < map.width; ++x) {
      float& to = out.values[static_cast<std::size_t>(y / side) * out.width + x / side];
      to = std::max(to, map.at(x, y));
    }
  }
  return out;
}

}  // namespace glint
