#include "glint/detect/input.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/image/resample.h"

namespace glint {
namespace {

constexpr int kCell = 32;             // stride of the deepest map, pixels
constexpr int kTransformerCell = 14;  // a transformer's patch

/// Where the crop lies in the picture after the resize, which is only thought of: it can be 20,000 times as
/// large as the photograph when that is a narrow stripe.
Window plan(std::int64_t width, std::int64_t height, const InputOptions& options) {
  const std::int64_t shorter = std::min(width, height);
  if (options.framing == Framing::kSquareCrop) width = height = shorter;
  const std::int64_t w = width == shorter ? options.resize : options.resize * width / shorter;
  const std::int64_t h = height == shorter ? options.resize : options.resize * height / shorter;
  // std::nearbyint rounds half to even, as the published code's language does: 20.5 -> 20
  return {w,
          h,
          static_cast<std::int64_t>(std::nearbyint(static_cast<double>(w - options.size) / 2.0)),
          static_cast<std::int64_t>(std::nearbyint(static_cast<double>(h - options.size) / 2.0)),
          options.size,
          options.size};
}

}  // namespace

void InputOptions::describe(OptionTable& table) {
  table.add("input.framing", framing, "whole image, or the published resize and crop");
  table.add("input.size", size, "side of the network's input in pixels", {32, 4096});
  table.add("input.aspect", aspect,
            "width over height of the network's input; 1 = square, 0 = as the training photographs",
            {0, kLargestAspect});
  table.add("input.resize", resize, "shorter side before the centre crop in pixels", {32, 8192});
  table.add("input.tiles", tiles, "overlapping inputs per side of the photograph; 1 = one input", {1, 8});
  table.add("input.align", align,
            "bring each part to one pose first; auto: if it steadies good parts' scores");
}

ImageSize InputOptions::input_size() const {
  GLINT_CHECK(aspect > 0);
  if (aspect == 1) return {size, size};
  const int cell = size % kTransformerCell == 0 ? kTransformerCell : size % kCell == 0 ? kCell : 1;
  const auto side = [&](double length) {
    return std::max(1, static_cast<int>(std::lround(length / cell))) * cell;
  };
  return {side(size * std::sqrt(aspect)), side(size / std::sqrt(aspect))};
}

ImageSize InputOptions::tile_step() const {
  const auto step = [](int side) {
    constexpr double kShare = 0.75;
    // so that a tile's features lie on the grid that one large input would have
    const int cell = side % kCell == 0 ? kCell : side % kTransformerCell == 0 ? kTransformerCell : 1;
    return std::max(1, static_cast<int>(kShare * side / cell)) * cell;
  };
  const ImageSize one = input_size();
  return {step(one.width), step(one.height)};
}

ImageSize InputOptions::canvas() const {
  const ImageSize one = input_size();
  if (tiles == 1) return one;
  const ImageSize step = tile_step();
  return {one.width + (tiles - 1) * step.width, one.height + (tiles - 1) * step.height};
}

void InputOptions::validate() const {
  if (tiles > 1 && framing != Framing::kWhole) {
    fail(ErrorCode::kConfig, "input.tiles = {}: tiles cover the whole photograph; set input.framing = whole",
         tiles);
  }
  if (aspect != 1 && framing != Framing::kWhole) {
    fail(ErrorCode::kConfig,
         "input.aspect = {}: the published crops are square; set input.framing = whole or input.aspect = 1",
         aspect);
  }
  if (framing != Framing::kWhole && resize < size) {
    fail(ErrorCode::kConfig, "input.resize = {}: must be at least input.size = {}", resize, size);
  }
}

RgbImage prepare_input(const RgbImage& image, const InputOptions& options) {
  if (options.framing == Framing::kWhole) {
    const ImageSize canvas = options.canvas();
    return resize_antialiased(image, canvas.width, canvas.height);
  }
  return resize_window(image, plan(image.width, image.height, options));
}

ScoreMap map_to_image(const ScoreMap& map, const InputOptions& options, int width, int height) {
  if (options.framing == Framing::kWhole) return resize_bilinear(map, width, height);
  if (map.width != options.size || map.height != options.size)
    return map_to_image(resize_bilinear(map, options.size, options.size), options, width, height);
  const float least = *std::min_element(map.values.begin(), map.values.end());
  return resize_framed(map, plan(width, height, options), least, width, height);
}

}  // namespace glint
