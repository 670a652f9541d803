#include "glint/data/box_list.h"

#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "glint/base/csv.h"
#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr std::uint64_t kMaxBoxBytes = std::uint64_t{256} << 20;
constexpr const char* kBoxHeader = "image,label,x0,y0,x1,y1";
constexpr std::size_t kBoxFields = 6;

/// A field as it was before csv_field.
std::string plain_field(const std::string& field) {
  return field.starts_with("'") ? field.substr(1) : field;
}

}  // namespace

BoxList parse_boxes(std::string_view text, const std::string& file) {
  const auto rows = parse_csv(text, file);
  if (rows.empty() || rows[0] != parse_csv(kBoxHeader, "")[0])
    fail(ErrorCode::kBadInput, "{}: its first line is not {}", file, kBoxHeader);
  BoxList out;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    const std::vector<std::string>& row = rows[r];
    const auto refuse = [&](const char* why) {
      fail(ErrorCode::kBadInput, "{}: row {}: {}", file, r + 1, why);
    };
    if (row.size() != kBoxFields) refuse("not six fields");
    std::array<double, 4> side{};
    for (std::size_t i = 0; i < side.size(); ++i) {
      const std::string& field = row[i + 2];
      const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), side[i]);
      if (error != std::errc() || end != field.data() + field.size() || !std::isfinite(side[i]))
        refuse("a side that is no number");
    }
    if (side[0] >= side[2] || side[1] >= side[3]) refuse("a box without area");
    out[plain_field(row[0])].push_back({plain_field(row[1]), side[0], side[1], side[2], side[3]});
  }
  return out;
}

std::string box_csv(const BoxList& boxes) {
  std::string out = fmt::format("{}\n", kBoxHeader);
  for (const auto& [image, list] : boxes) {
    for (const DefectBox& box : list) {
      out += fmt::format("{},{},{},{},{},{}\n", csv_field(image), csv_field(box.label), csv_number(box.x0),
                         csv_number(box.y0), csv_number(box.x1), csv_number(box.y1));
    }
  }
  return out;
}

void read_boxes(Dataset& dataset) {
  const fs::path file = dataset.root / kBoxFile;
  if (!is_there(file)) return;
  BoxList boxes = parse_boxes(read_text(file, kMaxBoxBytes), name_line(file));
  for (Sample& sample : dataset.test) {
    const auto found = boxes.find(sample.id);
    if (found == boxes.end()) continue;
    sample.boxes = std::move(found->second);
    boxes.erase(found);
  }
  if (!boxes.empty()) {
    fail(ErrorCode::kBadInput, "{}: names {}, which is no test image; take its rows out", name_line(file),
         name_line(boxes.begin()->first));
  }
}

}  // namespace glint
