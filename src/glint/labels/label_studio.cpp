// Label Studio's JSON export.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "glint/image/codec.h"
#include "glint/image/transparent_png.h"
#include "glint/labels/label_json.h"

namespace glint {
namespace {

using nlohmann::json;

/// Results with an area; the type is one of these, or one of these with "labels" behind it.
constexpr std::array<std::string_view, 6> kAreas = {"rectangle", "polygon", "ellipse",
                                                    "brush",     "bitmask", "magicwand"};
/// Results that say something of the image or of a region and mark no place themselves.
constexpr std::array<std::string_view, 8> kRemarks = {"textarea", "taxonomy", "rating", "number",
                                                      "datetime", "pairwise", "ranker", "labels"};

template <class List>
bool contains(const List& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

/// "rectangle" of "rectanglelabels"; empty when the type has no area.
std::string_view area_of(std::string_view type) {
  if (type.ends_with("labels")) type.remove_suffix(std::string_view("labels").size());
  return contains(kAreas, type) ? type : std::string_view();
}

std::set<std::string> texts(const json& value, const std::string& key) {
  std::set<std::string> out;
  if (!value.contains(key) || !value[key].is_array()) return out;
  for (const json& item : value[key]) {
    if (!item.is_string()) refuse_entry(fmt::format("\"{}\" holds something that is no text", key));
    out.insert(item.get<std::string>());
  }
  return out;
}

/// Per cent of the image. The editor keeps shapes inside it, up to what a turned rectangle needs; pixels of
/// other programs would reach further.
double per_cent(double v) {
  if (!(v >= -100 && v <= 200)) {
    refuse_entry(fmt::format("a coordinate of {} is no per cent of the image; is it in pixels?", v));
  }
  return v;
}
double per_cent_field(const json& value, const char* key) {
  return per_cent(number_field(value, key));
}
double rotation(const json& value) {
  return value.contains("rotation") ? number_field(value, "rotation") : 0;
}

/// Label Studio turns clockwise about the top left corner and measures in per cent of the image.
PolygonShape rectangle(const json& value, double w, double h) {
  const double x = per_cent_field(value, "x") * w / 100, y = per_cent_field(value, "y") * h / 100;
  const double width = per_cent_field(value, "width") * w / 100,
               height = per_cent_field(value, "height") * h / 100;
  const double turn = rotation(value) * std::acos(-1.0) / 180;
  std::vector<OutlinePoint> corners;
  for (const auto& [dx, dy] :
       {std::pair(0.0, 0.0), std::pair(width, 0.0), std::pair(width, height), std::pair(0.0, height)}) {
    corners.push_back(
        {x + dx * std::cos(turn) - dy * std::sin(turn), y + dx * std::sin(turn) + dy * std::cos(turn)});
  }
  return {{corners}};
}

PolygonShape polygon(const json& value, double w, double h) {
  if (!value.contains("points") || !value["points"].is_array()) refuse_entry("a polygon without \"points\"");
  if (value.contains("closed") && value["closed"] == false) refuse_entry("a polygon that is not closed");
  std::vector<OutlinePoint> outline;
  for (const json& p : value["points"]) {
    if (!p.is_array() || p.size() != 2 || !p[0].is_number() || !p[1].is_number())
      refuse_entry("a polygon's point is no pair of numbers");
    outline.push_back({per_cent(p[0].get<double>()) * w / 100, per_cent(p[1].get<double>()) * h / 100});
  }
  if (outline.size() < 3) refuse_entry("a polygon of fewer than three points");
  return {{std::move(outline)}};
}

RunShape brush(const json& value, int width, int height) {
  if (!value.contains("rle") || !value["rle"].is_array()) refuse_entry("a brush region without \"rle\"");
  std::vector<std::uint8_t> code;
  for (const json& byte : value["rle"]) {
    if (!byte.is_number_integer() || byte < 0 || byte > 255)
      refuse_entry("\"rle\" holds something that is no byte");
    code.push_back(byte.get<std::uint8_t>());
  }
  return decode_brush(code, width, height);
}

std::vector<std::byte> base64_decoded(std::string_view text) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  std::vector<std::byte> out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) refuse_entry("a bitmap that is not in base 64");
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<std::byte>((bits >> count) & 0xff));
    }
  }
  return out;
}

/// Black pixels on a transparent ground (https://labelstud.io/tags/bitmask).
RunShape bitmask(const json& value, int width, int height) {
  constexpr std::string_view kStart = "data:image/png;base64,";
  const std::string url = text_field(value, "imageDataURL");
  if (!url.starts_with(kStart)) refuse_entry("\"imageDataURL\" is no PNG in base 64");
  return runs_of(decode_transparent_png(base64_decoded(std::string_view(url).substr(kStart.size())), width,
                                        height, "imageDataURL"));
}

RegionShape shape_of(std::string_view area, const json& value, int width, int height) {
  if (value.contains("rle")) return brush(value, width, height);
  if (value.contains("imageDataURL")) return bitmask(value, width, height);
  if (area == "rectangle") return rectangle(value, width, height);
  if (area == "polygon") return polygon(value, width, height);
  if (area == "ellipse") {
    return EllipseShape{{per_cent_field(value, "x") * width / 100, per_cent_field(value, "y") * height / 100},
                        per_cent_field(value, "radiusX") * width / 100,
                        per_cent_field(value, "radiusY") * height / 100,
                        rotation(value)};
  }
  refuse_entry("neither \"rle\" nor \"imageDataURL\" in it");
}

/// The results of one id: a shape, its label in the same result or in another, and remarks on it.
struct Group {
  const json* shape = nullptr;
  std::string shape_type;
  std::set<std::string> labels, choices;
  std::vector<ShapelessResult> shapeless;
};

void check_orientation(const json& result) {
  if (!result.contains("image_rotation")) return;
  const double turn = number_field(result, "image_rotation");
  if (std::fmod(turn, 360) != 0) {
    refuse_entry(
        fmt::format("the image was turned by {} degrees in the editor; turn it back there, or turn the "
                    "photograph itself, and label it again",
                    turn));
  }
}

/// True for one shape that is written twice, with its label and without.
bool same_area(const json& a, const json& b) {
  for (const char* key :
       {"x", "y", "width", "height", "rotation", "radiusX", "radiusY", "points", "rle", "imageDataURL"}) {
    if (a.value(key, json()) != b.value(key, json())) return false;
  }
  return true;
}

void add_result(const json& result, Group& group) {
  const std::string type = text_field(result, "type");
  if (type == "relation") return;
  if (!result.contains("value") || !result["value"].is_object())
    refuse_entry(fmt::format("a result of the type '{}' without \"value\"", type));
  const json& value = result["value"];
  if (result.contains("item_index") && result["item_index"] != 0)
    refuse_entry(fmt::format("a '{}' on the second of several images", type));
  if (type == "choices") {
    group.choices.merge(texts(value, "choices"));
  } else if (!area_of(type).empty()) {
    if (group.shape != nullptr && !same_area((*group.shape)["value"], value))
      refuse_entry(fmt::format("two regions ('{}' and '{}') share an id", group.shape_type, type));
    group.shape = &result;
    group.shape_type = type;
    group.labels.merge(texts(value, type));
    group.labels.merge(texts(value, "labels"));
  } else if (type == "labels") {
    group.labels.merge(texts(value, "labels"));
    group.shapeless.push_back({type, true});
  } else {
    group.shapeless.push_back({type, !contains(kRemarks, type)});
  }
}

void add_region(const Group& group, LabelledImage& image) {
  const json& result = *group.shape;
  try {
    check_orientation(result);
    const int width = side_field(result, "original_width"), height = side_field(result, "original_height");
    check_image_size(width, height);
    if (image.width != 0 && (image.width != width || image.height != height))
      refuse_entry("its regions name different image sizes");
    image.width = width;
    image.height = height;
    const std::set<std::string>& names = group.labels.empty() ? group.choices : group.labels;
    if (names.empty()) refuse_entry("a region without a label; label it in Label Studio");
    if (names.size() > 1) refuse_entry("a region with several labels; keep one");
    image.regions.push_back(
        {*names.begin(), shape_of(area_of(group.shape_type), result["value"], width, height)});
  } catch (const Error& e) {
    refuse_entry(fmt::format("{}: {}", group.shape_type, e.what()));
  }
}

/// What one annotation says of the image.
LabelledImage read_annotation(const json& annotation, const std::string& name) {
  if (!annotation.is_object() || !annotation.contains("result") || !annotation["result"].is_array())
    refuse_entry("an annotation without \"result\"");
  std::map<std::string, Group> groups;
  std::vector<std::string> order;
  std::set<std::string> targets;
  for (std::size_t i = 0; i < annotation["result"].size(); ++i) {
    const json& result = annotation["result"][i];
    if (!result.is_object()) refuse_entry("a result that is no object");
    const std::string id = result.contains("id") ? result["id"].dump(-1, ' ', true) : fmt::format("#{}", i);
    if (result.contains("to_name") && result["to_name"].is_string())
      targets.insert(result["to_name"].get<std::string>());
    const auto [group, fresh] = groups.try_emplace(id);
    if (fresh) order.push_back(id);
    add_result(result, group->second);
  }
  if (targets.size() > 1) refuse_entry("results on several images of one task; give each image its own task");
  LabelledImage image{name, 0, 0, {}, {}, {}};
  for (const std::string& id : order) {
    Group& group = groups[id];
    if (group.shape != nullptr) {
      add_region(group, image);
      std::erase_if(group.shapeless, [](const ShapelessResult& r) { return contains(kRemarks, r.kind); });
    } else {
      image.choices.insert(image.choices.end(), group.choices.begin(), group.choices.end());
    }
    image.shapeless.insert(image.shapeless.end(), group.shapeless.begin(), group.shapeless.end());
  }
  return image;
}

/// The image's address: the text called "image", or the only one in a task's data that ends like an image.
std::string task_image(const json& task) {
  if (!task.is_object() || !task.contains("data") || !task["data"].is_object()) {
    refuse_entry("no \"data\": export as \"JSON\", not as JSON-MIN");
  }
  const json& data = task["data"];
  if (data.contains("image") && data["image"].is_string()) return data["image"].get<std::string>();
  std::set<std::string> found;
  for (const auto& [key, value] : data.items()) {
    if (value.is_string() && is_image_file(value.get<std::string>())) found.insert(value.get<std::string>());
  }
  if (found.empty()) refuse_entry("no image in its \"data\"");
  if (found.size() > 1)
    refuse_entry(fmt::format("several images in its \"data\" ({}, {}); give each image its own task",
                             *found.begin(), *std::next(found.begin())));
  return *found.begin();
}

bool is_set(const json& object, const char* key) {
  if (!object.is_object() || !object.contains(key)) return false;
  const json& value = object[key];
  return !value.is_null() && value != false && value != 0 && value != "";
}

/// Annotations that count: finished, and where some are marked as ground truth, those.
std::vector<const json*> finished_annotations(const json& task) {
  std::vector<const json*> finished, truth;
  bool skipped = false;
  if (task.contains("annotations") && task["annotations"].is_array()) {
    for (const json& annotation : task["annotations"]) {
      if (is_set(annotation, "was_cancelled")) {
        skipped = true;
        continue;
      }
      finished.push_back(&annotation);
      if (is_set(annotation, "ground_truth")) truth.push_back(&annotation);
    }
  }
  if (finished.empty()) {
    const bool guessed =
        task.contains("predictions") && task["predictions"].is_array() && !task["predictions"].empty();
    refuse_entry(fmt::format("not annotated{}; finish it, or take it out of the export",
                             skipped   ? " (it was skipped)"
                             : guessed ? " (predictions do not count)"
                                       : ""));
  }
  return truth.empty() ? finished : truth;
}

std::set<std::string> said_of(const LabelledImage& image) {
  std::set<std::string> out(image.choices.begin(), image.choices.end());
  for (const LabelledRegion& region : image.regions) out.insert(region.label);
  return out;
}

/// The last of several annotations counts, unless another says that the part is of another kind: then one of
/// the two is wrong, and nobody knows which.
LabelledImage studio_task(const json& task) {
  const std::string name = task_image(task);
  try {
    std::optional<LabelledImage> last;
    for (const json* annotation : finished_annotations(task)) {
      LabelledImage image = read_annotation(*annotation, name);
      if (last &&
          (last->says_nothing() != image.says_nothing() || last->regions.empty() != image.regions.empty() ||
           (image.regions.empty() && said_of(*last) != said_of(image)))) {
        refuse_entry(
            "its annotations contradict each other (one marks a defect, another does not, or their choices "
            "differ); keep the right one");
      }
      last = std::move(image);
    }
    return *last;
  } catch (const Error& e) {
    refuse_entry(fmt::format("{}: {}", name, e.what()));
  }
}

}  // namespace

LabelFile parse_label_studio(std::string_view content, const std::string& file) {
  const json all = {{"task", parse_export(content, file)}};
  if (!all["task"].is_array())
    fail(ErrorCode::kBadInput, "{}: no list of tasks; export from Label Studio as \"JSON\"", file);
  LabelFile out;
  each_entry(all, "task", out, [&](const json& task) { out.images.push_back(studio_task(task)); });
  return out;
}

}  // namespace glint
