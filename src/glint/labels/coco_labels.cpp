// COCO instance annotations.
#include <algorithm>
#include <map>

#include "glint/labels/label_json.h"

namespace glint {
namespace {

using nlohmann::json;

/// Coordinates are pixels of the image. Shares of its sides, and pixels of a larger copy, would put the
/// region elsewhere without a word.
void check_polygon(const PolygonShape& shape, const LabelledImage& image) {
  double most = 0;
  for (const auto& outline : shape.outlines) {
    for (const OutlinePoint& p : outline) {
      most = std::max({most, p.x, p.y});
      if (p.x < -0.1 * image.width || p.x > 1.1 * image.width || p.y < -0.1 * image.height ||
          p.y > 1.1 * image.height) {
        refuse_entry(
            fmt::format("a polygon reaches ({}, {}), outside its image of {}x{}; were the labels drawn on "
                        "an image of another size?",
                        p.x, p.y, image.width, image.height));
      }
    }
  }
  if (most <= 1 && image.width > 2 && image.height > 2)
    refuse_entry(
        "a polygon within the first pixel: its coordinates look like shares of the image; export pixels");
}

/// True where the box is all that an annotation has.
bool is_box_alone(const json& annotation) {
  const json code = annotation.value("segmentation", json());
  return annotation.contains("bbox") && (code.is_null() || (code.is_array() && code.empty()));
}

DefectBox coco_box(const json& annotation, const std::string& label, const LabelledImage& image) {
  const json& sides = annotation["bbox"];
  if (!sides.is_array() || sides.size() != 4 ||
      !std::all_of(sides.begin(), sides.end(), [](const json& v) { return v.is_number(); }))
    refuse_entry("\"bbox\" is no list of four numbers");
  const double x = sides[0], y = sides[1], width = sides[2], height = sides[3];
  DefectBox box{label, x, y, x + width, y + height};
  clip_box(box, image);
  return box;
}

RegionShape coco_shape(const json& annotation, const LabelledImage& image) {
  if (!annotation.contains("segmentation")) refuse_entry("neither \"segmentation\" nor \"bbox\"");
  const json& code = annotation["segmentation"];
  if (code.is_array()) {
    PolygonShape shape;
    for (const json& part : code) {
      if (!part.is_array() || part.size() < 6 || part.size() % 2 != 0)
        refuse_entry("a polygon needs at least three x, y pairs");
      std::vector<OutlinePoint> outline;
      for (std::size_t i = 0; i < part.size(); i += 2) {
        if (!part[i].is_number() || !part[i + 1].is_number())  // JSON has no infinite numbers
          refuse_entry("a polygon holds something that is no number");
        outline.push_back({part[i].get<double>(), part[i + 1].get<double>()});
      }
      shape.outlines.push_back(std::move(outline));
    }
    if (shape.outlines.empty()) refuse_entry("an empty \"segmentation\"");
    check_polygon(shape, image);
    return shape;
  }
  if (!code.is_object() || !code.contains("size") || !code["size"].is_array() || code["size"].size() != 2 ||
      !code["size"][0].is_number_integer() || !code["size"][1].is_number_integer() ||
      !code.contains("counts"))
    refuse_entry("a run-length code without \"counts\" and \"size\"");
  RunShape shape;
  if (code["size"][0] != image.height || code["size"][1] != image.width)
    refuse_entry("its run-length code is of another size than its image");
  shape.width = image.width;
  shape.height = image.height;
  shape.column_major = true;
  if (code["counts"].is_string()) {
    shape.runs = decode_coco_runs(code["counts"].get<std::string>());
  } else if (code["counts"].is_array()) {
    for (const json& run : code["counts"]) {
      if (!run.is_number_integer()) refuse_entry("a run that is no whole number");
      shape.runs.push_back(run.get<std::int64_t>());
    }
  } else {
    refuse_entry("\"counts\" is neither a list nor a string");
  }
  const std::int64_t pixels = static_cast<std::int64_t>(shape.width) * shape.height;
  std::int64_t sum = 0;
  for (const std::int64_t run : shape.runs) {
    if (run < 0 || run > pixels - sum) refuse_entry("its runs do not fit its image");
    sum += run;
  }
  if (sum != pixels) refuse_entry("its runs do not fill its image");
  return shape;
}

std::string id_of(const json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) ||
      !(object[key].is_number_integer() || object[key].is_string())) {
    refuse_entry(fmt::format("no \"{}\"", key));
  }
  return object[key].dump();
}

}  // namespace

LabelFile parse_coco(std::string_view content, const std::string& file) {
  const json all = parse_export(content, file);
  for (const char* key : {"images", "annotations", "categories"}) {
    if (!all.is_object() || !all.contains(key) || !all[key].is_array())
      fail(ErrorCode::kBadInput, "{}: no array \"{}\": not a COCO annotation file", file, key);
  }
  LabelFile out;
  std::map<std::string, std::string> category;
  std::map<std::string, std::size_t> image_at;
  each_entry(all, "categories", out,
             [&](const json& entry) { category[id_of(entry, "id")] = text_field(entry, "name"); });
  each_entry(all, "images", out, [&](const json& entry) {
    LabelledImage image{text_field(entry, "file_name"),
                        side_field(entry, "width"),
                        side_field(entry, "height"),
                        {},
                        {},
                        {},
                        {}};
    check_image_size(image.width, image.height);
    if (!image_at.emplace(id_of(entry, "id"), out.images.size()).second)
      refuse_entry("an id that is used twice");
    out.images.push_back(std::move(image));
  });
  each_entry(all, "annotations", out, [&](const json& entry) {
    const auto image = image_at.find(id_of(entry, "image_id"));
    if (image == image_at.end()) refuse_entry("its \"image_id\" names no image");
    LabelledImage& target = out.images[image->second];
    try {
      const auto name = category.find(id_of(entry, "category_id"));
      if (name == category.end()) refuse_entry("its \"category_id\" names no category");
      if (is_box_alone(entry)) {
        target.boxes.push_back(coco_box(entry, name->second, target));
      } else {
        target.regions.push_back({name->second, coco_shape(entry, target)});
      }
    } catch (const Error& e) {
      refuse_entry(fmt::format("{}: {}", target.name, e.what()));
    }
  });
  return out;
}

}  // namespace glint
