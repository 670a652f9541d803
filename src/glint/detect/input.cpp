#include "glint/detect/input.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/image/resample.h"

namespace glint {
namespace {

struct CropPlan {
  int width, height;  ///< after the resize
  int x, y;           ///< of the crop
};

CropPlan plan(int width, int height, const InputOptions& options) {
  const int shorter = std::min(width, height);
  if (options.framing == Framing::kSquareCrop) width = height = shorter;
  const int w = width == shorter ? options.resize : options.resize * width / shorter;
  const int h = height == shorter ? options.resize : options.resize * height / shorter;
  // std::nearbyint rounds half to even, as the published code's language does: 20.5 -> 20
  return {w, h, static_cast<int>(std::nearbyint((w - options.size) / 2.0)),
          static_cast<int>(std::nearbyint((h - options.size) / 2.0))};
}

}  // namespace

void InputOptions::describe(OptionTable& table) {
  table.add("input.framing", framing, "whole image, or the published resize and crop");
  table.add("input.size", size, "side of the network's input in pixels", {32, 4096});
  table.add("input.resize", resize, "shorter side before the centre crop in pixels", {32, 8192});
}

void InputOptions::validate() const {
  if (framing != Framing::kWhole && resize < size) {
    fail(ErrorCode::kConfig, "input.resize = {}: must be at least input.size = {}", resize, size);
  }
}

RgbImage prepare_input(const RgbImage& image, const InputOptions& options) {
  if (options.framing == Framing::kWhole) return resize_antialiased(image, options.size, options.size);
  const CropPlan p = plan(image.width, image.height, options);
  return crop(resize_antialiased(image, p.width, p.height), p.x, p.y, options.size, options.size);
}

ScoreMap map_to_image(const ScoreMap& map, const InputOptions& options, int width, int height) {
  if (options.framing == Framing::kWhole) return resize_bilinear(map, width, height);
  if (map.width != options.size || map.height != options.size)
    return map_to_image(resize_bilinear(map, options.size, options.size), options, width, height);
  const CropPlan p = plan(width, height, options);
  ScoreMap canvas(p.width, p.height, *std::min_element(map.values.begin(), map.values.end()));
  for (int y = 0; y < map.height; ++y) {
    std::copy_n(&map.values[static_cast<std::size_t>(y) * map.width], map.width,
                &canvas.values[static_cast<std::size_t>(y + p.y) * p.width + p.x]);
  }
  return resize_bilinear(canvas, width, height);
}

}  // namespace glint
