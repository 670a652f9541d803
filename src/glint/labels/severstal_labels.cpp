// Severstal steel defects (https://www.kaggle.com/competitions/severstal-steel-defect-detection): train.csv.
#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "glint/base/csv.h"
#include "glint/labels/label_json.h"

namespace glint {
namespace {

constexpr int kSeverstalWidth = 1600, kSeverstalHeight = 256;  // all pictures of the competition

/// "START LENGTH START LENGTH ...": pixels numbered from 1 down the columns.
RunShape severstal_runs(std::string_view text) {
  RunShape shape{kSeverstalWidth, kSeverstalHeight, /*column_major=*/true, {}};
  constexpr std::int64_t kPixels = std::int64_t{kSeverstalWidth} * kSeverstalHeight;
  std::vector<std::int64_t> numbers;
  for (const char* at = text.data(); at != text.data() + text.size();) {
    if (*at == ' ') {
      ++at;
      continue;
    }
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(at, text.data() + text.size(), number);
    if (error != std::errc() || (end != text.data() + text.size() && *end != ' '))
      refuse_entry("its run-length code holds something that is no whole number");
    numbers.push_back(number);
    at = end;
  }
  if (numbers.empty() || numbers.size() % 2 != 0) refuse_entry("its run-length code is no list of pairs");
  std::int64_t at = 0;  // pixels before the next run
  for (std::size_t i = 0; i < numbers.size(); i += 2) {
    const std::int64_t start = numbers[i] - 1, length = numbers[i + 1];
    if (start < at || length < 1 || start >= kPixels || length > kPixels - start) {
      refuse_entry(fmt::format("its runs overlap, go backwards or do not fit {}x{}", kSeverstalWidth,
                               kSeverstalHeight));
    }
    shape.runs.push_back(start - at);
    shape.runs.push_back(length);
    at = start + length;
  }
  shape.runs.push_back(kPixels - at);
  return shape;
}

}  // namespace

LabelFile parse_severstal(std::string_view text, const std::string& file) {
  const auto rows = parse_csv(text, file);
  using Row = std::vector<std::string>;
  // The later form of the file lists defects only; the first one has four rows an image, most of them empty.
  const bool defects_only = !rows.empty() && rows[0] == Row{"ImageId", "ClassId", "EncodedPixels"};
  if (!defects_only && (rows.empty() || rows[0] != Row{"ImageId_ClassId", "EncodedPixels"})) {
    fail(ErrorCode::kBadInput,
         "{}: its first line is neither ImageId,ClassId,EncodedPixels nor ImageId_ClassId,EncodedPixels: not "
         "Severstal's train.csv",
         file);
  }
  LabelFile out;
  out.unlisted_are_good = defects_only;
  std::map<std::string, std::size_t> image_at;
  std::set<std::pair<std::string, std::string>> seen;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    try {
      const Row& row = rows[r];
      if (row.size() != rows[0].size()) refuse_entry(fmt::format("not {} fields", rows[0].size()));
      std::string name = row[0], kind;
      if (defects_only) {
        kind = row[1];
      } else {
        const std::size_t end = name.rfind('_');
        if (end == std::string::npos) refuse_entry("no class behind the image's name");
        kind = name.substr(end + 1);
        name.resize(end);
      }
      if (name.empty()) refuse_entry("no image");
      if (kind.size() != 1 || kind[0] < '1' || kind[0] > '4') refuse_entry("a class other than 1 to 4");
      if (!seen.emplace(name, kind).second) refuse_entry("an image and class that were listed before");
      const auto [at, fresh] = image_at.emplace(name, out.images.size());
      if (fresh) out.images.push_back({name, kSeverstalWidth, kSeverstalHeight, {}, {}, {}, {}});
      if (!row.back().empty())
        out.images[at->second].regions.push_back({"class_" + kind, severstal_runs(row.back())});
    } catch (const Error& e) {
      out.problems.push_back(fmt::format("{}: row {}: {}", file, r + 1, e.what()));
    }
  }
  return out;
}

}  // namespace glint
