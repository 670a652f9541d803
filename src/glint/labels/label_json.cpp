#include "glint/labels/label_json.h"

#include <algorithm>
#include <cmath>

#include "glint/image/codec.h"

namespace glint {

using nlohmann::json;

void refuse_entry(const std::string& why) {
  throw Error(ErrorCode::kBadInput, why);
}

double number_field(const json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_number())
    refuse_entry(fmt::format("\"{}\" is no number", key));
  const double v = object[key].get<double>();
  if (!std::isfinite(v)) refuse_entry(fmt::format("\"{}\" is not finite", key));
  return v;
}

std::string text_field(const json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_string())
    refuse_entry(fmt::format("\"{}\" is no text", key));
  return object[key].get<std::string>();
}

int side_field(const json& object, const char* key) {
  const double v = number_field(object, key);
  if (v < 1 || v > static_cast<double>(kMaxPixels) || v != std::floor(v))
    refuse_entry(fmt::format("\"{}\" = {} is no image side", key, v));
  return static_cast<int>(v);
}

void check_image_size(int width, int height) {
  if (static_cast<std::int64_t>(width) * height > kMaxPixels) {
    refuse_entry(fmt::format("{}x{} is larger than the {} pixels glint accepts", width, height, kMaxPixels));
  }
}

void clip_box(DefectBox& box, const LabelledImage& image) {
  if (image.width > 0 && image.height > 0) {
    if (box.x0 < -0.1 * image.width || box.x1 > 1.1 * image.width || box.y0 < -0.1 * image.height ||
        box.y1 > 1.1 * image.height) {
      refuse_entry(
          fmt::format("a box reaches outside its image of {}x{}; were the labels drawn on an image of "
                      "another size?",
                      image.width, image.height));
    }
    box.x0 = std::max(box.x0, 0.0);
    box.y0 = std::max(box.y0, 0.0);
    box.x1 = std::min<double>(box.x1, image.width);
    box.y1 = std::min<double>(box.y1, image.height);
  }
  if (box.x0 >= box.x1 || box.y0 >= box.y1) refuse_entry("a box without area");
}

json parse_export(std::string_view content, const std::string& file) {
  json out = json::parse(content, nullptr, false);
  if (out.is_discarded()) fail(ErrorCode::kBadInput, "{}: is not valid JSON", file);
  return out;
}

}  // namespace glint
