#include "glint/data/label_file.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "glint/base/error.h"
#include "glint/image/codec.h"

namespace glint {
namespace {

using nlohmann::json;

/// An entry that cannot be used; the text says why.
[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::kBadInput, why);
}

double number(const json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_number()) {
    refuse(fmt::format("\"{}\" is no number", key));
  }
  const double v = object[key].get<double>();
  if (!std::isfinite(v)) refuse(fmt::format("\"{}\" is not finite", key));
  return v;
}

std::string text(const json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_string()) {
    refuse(fmt::format("\"{}\" is no text", key));
  }
  return object[key].get<std::string>();
}

int side(const json& object, const char* key) {
  const double v = number(object, key);
  if (v < 1 || v > static_cast<double>(kMaxPixels) || v != std::floor(v)) {
    refuse(fmt::format("\"{}\" = {} is no image side", key, v));
  }
  return static_cast<int>(v);
}

void check_size(int width, int height) {
  if (static_cast<std::int64_t>(width) * height > kMaxPixels) {
    refuse(fmt::format("{}x{} is larger than the {} pixels glint accepts", width, height, kMaxPixels));
  }
}

json parse(std::string_view content, const std::string& file) {
  json out = json::parse(content, nullptr, false);
  if (out.is_discarded()) fail(ErrorCode::kBadInput, "{}: is not valid JSON", file);
  return out;
}

class BitReader {
 public:
  explicit BitReader(const std::vector<std::uint8_t>& bytes) : bytes_(bytes) {}
  std::uint64_t read(int bits) {
    if (at_ + static_cast<std::size_t>(bits) > 8 * bytes_.size()) refuse("the brush code is cut off");
    std::uint64_t out = 0;
    for (int i = 0; i < bits; ++i, ++at_) out = (out << 1) | ((bytes_[at_ / 8] >> (7 - at_ % 8)) & 1U);
    return out;
  }

 private:
  const std::vector<std::uint8_t>& bytes_;
  std::size_t at_ = 0;
};

/// Collects values in order as runs.
class RunBuilder {
 public:
  void add(bool inside, std::int64_t length) {
    if (length <= 0) return;
    if (inside != inside_) {
      runs_.push_back(0);
      inside_ = inside;
    }
    runs_.back() += length;
  }
  std::vector<std::int64_t> take() { return std::move(runs_); }

 private:
  std::vector<std::int64_t> runs_ = {0};
  bool inside_ = false;
};

std::string region_label(const json& value, const std::string& kind) {
  if (!value.contains(kind) || !value[kind].is_array() || value[kind].empty() ||
      !value[kind][0].is_string()) {
    refuse("a region without a label; label it in Label Studio");
  }
  if (value[kind].size() > 1) refuse("a region with several labels; keep one");
  return value[kind][0].get<std::string>();
}

/// Label Studio turns clockwise about the top left corner and measures in per cent of the image.
PolygonShape rectangle(const json& value, double w, double h) {
  const double x = number(value, "x") * w / 100, y = number(value, "y") * h / 100;
  const double width = number(value, "width") * w / 100, height = number(value, "height") * h / 100;
  const double turn = value.contains("rotation") ? number(value, "rotation") * std::acos(-1.0) / 180 : 0;
  std::vector<OutlinePoint> corners;
  for (const auto& [dx, dy] :
       {std::pair(0.0, 0.0), std::pair(width, 0.0), std::pair(width, height), std::pair(0.0, height)}) {
    corners.push_back(
        {x + dx * std::cos(turn) - dy * std::sin(turn), y + dx * std::sin(turn) + dy * std::cos(turn)});
  }
  return {{corners}};
}

std::optional<LabelledRegion> studio_region(const json& result, LabelledImage& image) {
  const std::string type = text(result, "type");
  if (type != "brushlabels" && type != "polygonlabels" && type != "rectanglelabels" &&
      type != "ellipselabels")
    return std::nullopt;
  const int width = side(result, "original_width"), height = side(result, "original_height");
  check_size(width, height);
  if (image.width != 0 && (image.width != width || image.height != height)) {
    refuse("its regions name different image sizes");
  }
  image.width = width;
  image.height = height;
  if (!result.contains("value")) refuse("a region without \"value\"");
  const json& value = result["value"];
  if (!value.is_object()) refuse("a region without \"value\"");
  LabelledRegion region{region_label(value, type), {}};
  if (type == "brushlabels") {
    if (!value.contains("rle") || !value["rle"].is_array()) refuse("a brush region without \"rle\"");
    std::vector<std::uint8_t> code;
    for (const json& byte : value["rle"]) {
      if (!byte.is_number_integer() || byte < 0 || byte > 255)
        refuse("\"rle\" holds something that is no byte");
      code.push_back(byte.get<std::uint8_t>());
    }
    region.shape = decode_brush(code, width, height);
  } else if (type == "polygonlabels") {
    if (!value.contains("points") || !value["points"].is_array()) refuse("a polygon without \"points\"");
    std::vector<OutlinePoint> outline;
    for (const json& p : value["points"]) {
      if (!p.is_array() || p.size() != 2 || !p[0].is_number() || !p[1].is_number())
        refuse("a polygon's point is no pair of numbers");
      outline.push_back({p[0].get<double>() * width / 100, p[1].get<double>() * height / 100});
    }
    if (outline.size() < 3) refuse("a polygon of fewer than three points");
    region.shape = PolygonShape{{std::move(outline)}};
  } else if (type == "rectanglelabels") {
    region.shape = rectangle(value, width, height);
  } else {
    region.shape = EllipseShape{{number(value, "x") * width / 100, number(value, "y") * height / 100},
                                number(value, "radiusX") * width / 100,
                                number(value, "radiusY") * height / 100,
                                value.contains("rotation") ? number(value, "rotation") : 0};
  }
  return region;
}

/// The image's address: the only text in a task's data, or the one that ends like an image.
std::string task_image(const json& task) {
  if (!task.is_object() || !task.contains("data") || !task["data"].is_object()) {
    refuse("no \"data\": export as \"JSON\", not as JSON-MIN");
  }
  std::string found;
  for (const auto& [key, value] : task["data"].items()) {
    if (!value.is_string()) continue;
    std::string name = value.get<std::string>();
    if (key == "image" || (is_image_file(name) && found.empty())) found = name;
  }
  if (found.empty()) refuse("no image in its \"data\"");
  return found;
}

LabelledImage studio_task(const json& task) {
  LabelledImage image{task_image(task), 0, 0, {}};
  const json* chosen = nullptr;
  if (task.contains("annotations") && task["annotations"].is_array()) {
    for (const json& annotation : task["annotations"]) {
      const bool cancelled = annotation.is_object() && annotation.contains("was_cancelled") &&
                             annotation["was_cancelled"] == true;
      if (!cancelled) chosen = &annotation;
    }
  }
  if (chosen == nullptr) refuse("not annotated; finish it, or take it out of the export");
  if (!chosen->is_object() || !chosen->contains("result") || !(*chosen)["result"].is_array())
    refuse("an annotation without \"result\"");
  for (const json& result : (*chosen)["result"]) {
    if (auto region = studio_region(result, image)) image.regions.push_back(std::move(*region));
  }
  return image;
}

RegionShape coco_shape(const json& annotation, const LabelledImage& image) {
  if (!annotation.contains("segmentation"))
    refuse("no \"segmentation\": a box alone is no mask; draw the outline");
  const json& code = annotation["segmentation"];
  if (code.is_array()) {
    PolygonShape shape;
    for (const json& part : code) {
      if (!part.is_array() || part.size() < 6 || part.size() % 2 != 0)
        refuse("a polygon needs at least three x, y pairs");
      std::vector<OutlinePoint> outline;
      for (std::size_t i = 0; i < part.size(); i += 2) {
        if (!part[i].is_number() || !part[i + 1].is_number())
          refuse("a polygon holds something that is no number");
        outline.push_back({part[i].get<double>(), part[i + 1].get<double>()});
      }
      shape.outlines.push_back(std::move(outline));
    }
    if (shape.outlines.empty()) refuse("an empty \"segmentation\": a box alone is no mask; draw the outline");
    return shape;
  }
  if (!code.is_object() || !code.contains("size") || !code["size"].is_array() || code["size"].size() != 2 ||
      !code["size"][0].is_number_integer() || !code["size"][1].is_number_integer() ||
      !code.contains("counts"))
    refuse("a run-length code without \"counts\" and \"size\"");
  RunShape shape;
  if (code["size"][0] != image.height || code["size"][1] != image.width)
    refuse("its run-length code is of another size than its image");
  shape.width = image.width;
  shape.height = image.height;
  shape.column_major = true;
  if (code["counts"].is_string()) {
    shape.runs = decode_coco_runs(code["counts"].get<std::string>());
  } else if (code["counts"].is_array()) {
    for (const json& run : code["counts"]) {
      if (!run.is_number_integer()) refuse("a run that is no whole number");
      shape.runs.push_back(run.get<std::int64_t>());
    }
  } else {
    refuse("\"counts\" is neither a list nor a string");
  }
  const std::int64_t pixels = static_cast<std::int64_t>(shape.width) * shape.height;
  std::int64_t sum = 0;
  for (const std::int64_t run : shape.runs) {
    if (run < 0 || run > pixels - sum) refuse("its runs do not fit its image");
    sum += run;
  }
  if (sum != pixels) refuse("its runs do not fill its image");
  return shape;
}

std::string id_of(const json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) ||
      !(object[key].is_number_integer() || object[key].is_string())) {
    refuse(fmt::format("no \"{}\"", key));
  }
  return object[key].dump();
}

/// Calls `use` on each entry of the array `key`; what it refuses becomes a problem.
template <class Use>
void each(const json& all, const char* key, LabelFile& out, const Use& use) {
  for (std::size_t i = 0; i < all[key].size(); ++i) {
    try {
      use(all[key][i]);
    } catch (const Error& e) {
      out.problems.push_back(fmt::format("{}[{}]: {}", key, i, e.what()));
    }
  }
}

}  // namespace

RunShape decode_brush(const std::vector<std::uint8_t>& code, int width, int height) {
  check_size(width, height);
  BitReader bits(code);
  const auto total = static_cast<std::int64_t>(bits.read(32));
  if (total != 4 * static_cast<std::int64_t>(width) * height) {
    refuse(fmt::format("its brush code holds {} values, {} are needed for {}x{} RGBA", total,
                       4 * static_cast<std::int64_t>(width) * height, width, height));
  }
  const int word = static_cast<int>(bits.read(5)) + 1;
  int sizes[4];
  for (int& size : sizes) size = static_cast<int>(bits.read(4)) + 1;
  const auto threshold = std::uint64_t{1} << (word - 1);  // 128 of 8 bits
  RunBuilder alpha;
  for (std::int64_t at = 0; at < total;) {
    const bool repeated = bits.read(1) != 0;
    const auto length = static_cast<std::int64_t>(bits.read(sizes[bits.read(2)])) + 1;
    if (length > total - at) refuse("its brush code is longer than its image");
    if (repeated) {
      const bool inside = bits.read(word) >= threshold;
      // values at positions 3, 7, 11 ... are alpha
      alpha.add(inside, (at + length) / 4 - at / 4);
    } else {
      for (std::int64_t i = at; i < at + length; ++i) {
        const bool inside = bits.read(word) >= threshold;
        if (i % 4 == 3) alpha.add(inside, 1);
      }
    }
    at += length;
  }
  return {width, height, false, alpha.take()};
}

std::vector<std::int64_t> decode_coco_runs(std::string_view code) {
  std::vector<std::int64_t> out;
  for (std::size_t at = 0; at < code.size();) {
    std::int64_t value = 0;
    int shift = 0;
    for (bool more = true; more; shift += 5) {
      if (at >= code.size() || shift > 30) refuse("the run-length string is cut off or damaged");
      const int c = static_cast<unsigned char>(code[at++]) - 48;
      if (c < 0 || c > 63) refuse("the run-length string holds a character that is not of its alphabet");
      value |= static_cast<std::int64_t>(c & 31) << shift;
      more = (c & 32) != 0;
      if (!more && (c & 16) != 0) value |= -(std::int64_t{1} << (shift + 5));
    }
    if (out.size() > 2) value += out[out.size() - 2];
    if (std::abs(value) > kMaxPixels) refuse("a run longer than any image");
    out.push_back(value);
  }
  return out;
}

LabelFile parse_label_studio(std::string_view content, const std::string& file) {
  const json all = {{"task", parse(content, file)}};
  if (!all["task"].is_array())
    fail(ErrorCode::kBadInput, "{}: no list of tasks; export from Label Studio as \"JSON\"", file);
  LabelFile out;
  each(all, "task", out, [&](const json& task) { out.images.push_back(studio_task(task)); });
  return out;
}

LabelFile parse_coco(std::string_view content, const std::string& file) {
  const json all = parse(content, file);
  for (const char* key : {"images", "annotations", "categories"}) {
    if (!all.is_object() || !all.contains(key) || !all[key].is_array())
      fail(ErrorCode::kBadInput, "{}: no array \"{}\": not a COCO annotation file", file, key);
  }
  LabelFile out;
  std::map<std::string, std::string> category;
  std::map<std::string, std::size_t> image_at;
  each(all, "categories", out,
       [&](const json& entry) { category[id_of(entry, "id")] = text(entry, "name"); });
  each(all, "images", out, [&](const json& entry) {
    LabelledImage image{text(entry, "file_name"), side(entry, "width"), side(entry, "height"), {}};
    check_size(image.width, image.height);
    if (!image_at.emplace(id_of(entry, "id"), out.images.size()).second) refuse("an id that is used twice");
    out.images.push_back(std::move(image));
  });
  each(all, "annotations", out, [&](const json& entry) {
    const auto image = image_at.find(id_of(entry, "image_id"));
    if (image == image_at.end()) refuse("its \"image_id\" names no image");
    const auto name = category.find(id_of(entry, "category_id"));
    if (name == category.end()) refuse("its \"category_id\" names no category");
    LabelledImage& target = out.images[image->second];
    target.regions.push_back({name->second, coco_shape(entry, target)});
  });
  return out;
}

Mask rasterise(const RegionShape& shape, int width, int height) {
  Mask out(width, height);
  if (const auto* polygon = std::get_if<PolygonShape>(&shape)) {
    for (const auto& outline : polygon->outlines) fill_polygon(out, outline);
  } else if (const auto* ellipse = std::get_if<EllipseShape>(&shape)) {
    fill_ellipse(out, ellipse->centre, ellipse->radius_x, ellipse->radius_y, ellipse->angle_deg);
  } else {
    const auto& code = std::get<RunShape>(shape);
    if (code.width != width || code.height != height) refuse("a run-length code of another size");
    std::int64_t at = 0;
    bool inside = false;
    for (const std::int64_t run : code.runs) {
      for (std::int64_t i = at; inside && i < at + run; ++i) {
        const std::int64_t pixel = code.column_major ? (i % height) * width + i / height : i;
        out.pixels[static_cast<std::size_t>(pixel)] = 1;
      }
      at += run;
      inside = !inside;
    }
  }
  return out;
}

}  // namespace glint
