// Pascal VOC annotations (http://host.robots.ox.ac.uk/pascal/VOC), one XML file per image: boxes only.
#include <algorithm>
#include <cmath>
#include <pugixml.hpp>

#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/labels/label_json.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr std::uint64_t kMaxXmlBytes = std::uint64_t{16} << 20;

double number_at(const pugi::xml_node& node, const char* name) {
  const pugi::xml_node child = node.child(name);
  const std::string text = child.text().get();
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (!child || text.empty() || end != text.c_str() + text.size() || !std::isfinite(value))
    refuse_entry(fmt::format("<{}> is no number", name));
  return value;
}

/// A side of the image; 0 where the file does not say.
int side_at(const pugi::xml_node& size, const char* name) {
  if (!size.child(name)) return 0;
  const double value = number_at(size, name);
  if (value < 0 || value > static_cast<double>(kMaxPixels) || value != std::floor(value))
    refuse_entry(fmt::format("<{}> is no image side", name));
  return static_cast<int>(value);
}

}  // namespace

LabelFile parse_voc(std::string_view text, const std::string& file) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(text.data(), text.size());
  if (!parsed)
    fail(ErrorCode::kBadInput, "{}: is not valid XML at byte {}: {}", file, parsed.offset,
         parsed.description());
  const pugi::xml_node annotation = document.child("annotation");
  if (!annotation) fail(ErrorCode::kBadInput, "{}: no <annotation>: not a Pascal VOC annotation file", file);
  LabelFile out;
  LabelledImage image;
  image.name = annotation.child("filename").text().get();
  try {
    if (image.name.empty()) refuse_entry("no <filename>");
    // VOC's pictures are JPEG, and some of NEU's files leave that out.
    if (!fs::path(image.name).has_extension()) image.name += ".jpg";
    const pugi::xml_node size = annotation.child("size");
    image.width = side_at(size, "width");
    image.height = side_at(size, "height");
    check_image_size(image.width, image.height);
    if (image.width == 0 || image.height == 0) image.width = image.height = 0;
    for (const pugi::xml_node& object : annotation.children("object")) {
      DefectBox box;
      box.label = object.child("name").text().get();
      if (box.label.empty()) refuse_entry("an <object> without a <name>");
      const pugi::xml_node sides = object.child("bndbox");
      box.x0 = number_at(sides, "xmin");
      box.y0 = number_at(sides, "ymin");
      box.x1 = number_at(sides, "xmax");
      box.y1 = number_at(sides, "ymax");
      clip_box(box, image);
      image.boxes.push_back(std::move(box));
    }
    out.images.push_back(std::move(image));
  } catch (const Error& e) {
    out.problems.push_back(fmt::format("{}: {}", file, e.what()));
  }
  return out;
}

LabelFile read_voc(const fs::path& file_or_folder) {
  std::vector<fs::path> files = {file_or_folder};
  std::error_code ec;
  if (fs::is_directory(file_or_folder, ec)) {
    files = list_files(file_or_folder, [](const fs::path& file) { return lower_extension(file) == ".xml"; });
    if (files.empty()) fail(ErrorCode::kBadInput, "{}: no XML file in it", name_line(file_or_folder));
  }
  LabelFile out;
  for (const fs::path& file : files) {
    LabelFile one;
    try {
      one = parse_voc(read_text(file, kMaxXmlBytes), name_line(file));
    } catch (const Error& e) {
      one.problems.emplace_back(e.what());
    }
    std::move(one.images.begin(), one.images.end(), std::back_inserter(out.images));
    std::move(one.problems.begin(), one.problems.end(), std::back_inserter(out.problems));
  }
  return out;
}

}  // namespace glint
