#include "glint/detect/view.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/image/resample.h"

namespace glint {
namespace {

/// What one tile adds along one axis to the cells [first, first + low.size()) of the merged grid.
struct TileAxis {
  int first = 0;
  std::vector<int> low;               ///< cell of the tile's map below the merged cell's centre
  std::vector<float> share, weights;  ///< of the cell above; of the tile
};

/// Weight of a tile at this share of the overlap, from its edge: nothing in the first quarter, which sees the
/// network's zero padding most, all in the last. The weights of two neighbours add up to 1.
double share_of(double depth) {
  return std::clamp(2 * depth - 0.5, 0.0, 1.0);
}

/// One axis of the layout, pixels.
struct Axis {
  int tiles = 1, size = 0, step = 0, canvas = 0;
};

/// `merged` cells over the canvas, tile number `tile` with a map of `cells`.
TileAxis tile_axis(const Axis& axis, int tile, int cells, int merged) {
  TileAxis out;
  const double per_merged = static_cast<double>(axis.canvas) / merged,
               per_cell = static_cast<double>(axis.size) / cells;
  const double start = static_cast<double>(tile) * axis.step, end = start + axis.size,
               overlap = axis.size - axis.step;
  for (int i = 0; i < merged; ++i) {
    const double at = (i + 0.5) * per_merged;  // pixels of the canvas
    if (at <= start || at >= end) continue;
    if (out.low.empty()) out.first = i;
    const double position = std::clamp((at - start) / per_cell - 0.5, 0.0, cells - 1.0);
    out.low.push_back(std::min(static_cast<int>(position), std::max(0, cells - 2)));
    out.share.push_back(static_cast<float>(position - out.low.back()));
    double weight = 1;
    if (tile > 0) weight = std::min(weight, share_of((at - start) / overlap));
    if (tile + 1 < axis.tiles) weight = std::min(weight, share_of((end - at) / overlap));
    out.weights.push_back(static_cast<float>(weight));
  }
  return out;
}

}  // namespace

ViewMaker::ViewMaker(InputOptions options, std::optional<Registration> registration)
    : options_(options), registration_(std::move(registration)) {
  GLINT_CHECK((options_.align == Align::kRigid) == registration_.has_value());
}

Views ViewMaker::make(const RgbImage& photograph) const {
  Views out;
  out.placement = {photograph.width, photograph.height, {}, ""};
  RgbImage canvas;
  if (registration_) {
    const Registered found = registration_->find(photograph);
    const GreyImage& frame = registration_->reference();
    canvas = prepare_input(aligned_view(photograph, found.pose, frame.width, frame.height), options_);
    out.placement.refusal = registration_->refusal(found);
    out.placement.found = found;
  } else {
    canvas = prepare_input(photograph, options_);
  }
  if (options_.tiles == 1) {
    out.inputs.push_back(std::move(canvas));
    return out;
  }
  const ImageSize size = options_.input_size(), step = options_.tile_step();
  for (int row = 0; row < options_.tiles; ++row) {
    for (int column = 0; column < options_.tiles; ++column) {
      out.inputs.push_back(crop(canvas, column * step.width, row * step.height, size.width, size.height));
    }
  }
  return out;
}

ScoreMap ViewMaker::merge_maps(const std::vector<PatchScores>& views, ScoreMap PatchScores::*part) const {
  const ScoreMap& first = views[0].*part;
  const ImageSize size = options_.input_size(), step = options_.tile_step(), canvas = options_.canvas();
  const Axis across{options_.tiles, size.width, step.width, canvas.width},
      down{options_.tiles, size.height, step.height, canvas.height};
  const auto merged_side = [](int cells, const Axis& axis) {
    return static_cast<int>(std::lround(static_cast<double>(cells) * axis.canvas / axis.size));
  };
  ScoreMap sums(merged_side(first.width, across), merged_side(first.height, down));
  std::vector<float> weights(sums.values.size());
  for (std::size_t v = 0; v < views.size(); ++v) {
    const ScoreMap& map = views[v].*part;
    GLINT_CHECK(map.width == first.width && map.height == first.height);
    const TileAxis x = tile_axis(across, static_cast<int>(v) % options_.tiles, map.width, sums.width);
    const TileAxis y = tile_axis(down, static_cast<int>(v) / options_.tiles, map.height, sums.height);
    for (std::size_t j = 0; j < y.low.size(); ++j) {
      const int above = std::min(y.low[j] + 1, map.height - 1);
      for (std::size_t i = 0; i < x.low.size(); ++i) {
        const int right = std::min(x.low[i] + 1, map.width - 1);
        const float top =
            map.at(x.low[i], y.low[j]) * (1 - x.share[i]) + map.at(right, y.low[j]) * x.share[i];
        const float bottom = map.at(x.low[i], above) * (1 - x.share[i]) + map.at(right, above) * x.share[i];
        const std::size_t at =
            (static_cast<std::size_t>(y.first) + j) * static_cast<std::size_t>(sums.width) +
            static_cast<std::size_t>(x.first) + i;
        const float weight = x.weights[i] * y.weights[j];
        sums.values[at] += weight * (top * (1 - y.share[j]) + bottom * y.share[j]);
        weights[at] += weight;
      }
    }
  }
  for (std::size_t i = 0; i < weights.size(); ++i) sums.values[i] /= weights[i];
  return sums;
}

PhotographScores ViewMaker::merge(std::vector<PatchScores> views, const Placement& placement) const {
  GLINT_CHECK(std::ssize(views) == per_photograph());
  PhotographScores out;
  out.placement = placement;
  if (options_.tiles == 1) {
    static_cast<PatchScores&>(out) = std::move(views[0]);
  } else {
    out.map = merge_maps(views, &PatchScores::map);
    if (!views[0].decision.values.empty()) out.decision = merge_maps(views, &PatchScores::decision);
    for (const PatchScores& view : views) {
      // a score that is not finite must reach the gate, which a maximum would pass over
      if (view.image && (!out.image || !(*view.image <= *out.image))) out.image = view.image;
      if (out.image && !std::isfinite(*out.image)) break;
    }
  }
  // A crop's cells are not those of the view: there the alignment's edge stays as it is.
  if (!placement.found || options_.framing != Framing::kWhole) return out;
  const GreyImage& frame = registration_->reference();
  for (ScoreMap* map : {&out.map, &out.decision}) {
    if (map->values.empty()) continue;
    const std::vector<bool> inside =
        cells_in_photograph(placement.found->pose, frame.width, frame.height, map->width, map->height,
                            placement.width, placement.height);
    const float lowest = *std::min_element(map->values.begin(), map->values.end());
    for (std::size_t i = 0; i < inside.size(); ++i) {
      if (!inside[i] && std::isfinite(map->values[i])) map->values[i] = lowest;
    }
  }
  return out;
}

ScoreMap ViewMaker::to_photograph(const ScoreMap& map, const Placement& placement, int side) const {
  GLINT_CHECK(side > 0);
  const ImageSize small = fitted_size({placement.width, placement.height}, side);
  if (!placement.found && options_.framing == Framing::kWhole)
    return resize_bilinear(map, small.width, small.height);
  return resize_bilinear(to_photograph(map, placement), small.width, small.height);
}

ScoreMap ViewMaker::to_photograph(const ScoreMap& map, const Placement& placement) const {
  if (!placement.found) return map_to_image(map, options_, placement.width, placement.height);
  const GreyImage& frame = registration_->reference();
  const float lowest = *std::min_element(map.values.begin(), map.values.end());
  const int longer = std::max(placement.width, placement.height), of = std::max(frame.width, frame.height);
  const auto side = [&](int frame_side) {
    return std::max(1, static_cast<int>(std::lround(static_cast<double>(frame_side) * longer / of)));
  };
  const ScoreMap view = map_to_image(map, options_, side(frame.width), side(frame.height));
  return map_from_view(view, placement.found->pose, frame.width, frame.height, placement.width,
                       placement.height, lowest);
}

}  // namespace glint
