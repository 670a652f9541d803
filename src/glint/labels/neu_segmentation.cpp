// NEU surface defects, the form for segmentation (https://github.com/DHW-Master/NEU_Seg): a picture of class
// numbers for each photograph.
#include <algorithm>
#include <array>

#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/image/codec.h"
#include "glint/image/image_name.h"
#include "glint/labels/label_json.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr std::array<const char*, 3> kNeuSegmentClasses = {"inclusion", "patches", "scratches"};  // 1, 2, 3

std::vector<LabelledRegion> regions_of(const RgbImage& numbers) {
  std::array<Mask, kNeuSegmentClasses.size()> masks;
  masks.fill(Mask(numbers.width, numbers.height));
  std::array<bool, kNeuSegmentClasses.size()> found{};
  for (std::size_t p = 0; p < masks[0].pixels.size(); ++p) {
    const std::uint8_t* v = &numbers.pixels[3 * p];
    if (v[0] != v[1] || v[1] != v[2] || v[0] > kNeuSegmentClasses.size())
      refuse_entry(fmt::format("holds the colour ({}, {}, {}); classes are grey values 0 to {}", v[0], v[1],
                               v[2], kNeuSegmentClasses.size()));
    if (v[0] == 0) continue;
    masks[v[0] - 1].pixels[p] = 1;
    found[v[0] - 1] = true;
  }
  std::vector<LabelledRegion> out;
  for (std::size_t c = 0; c < masks.size(); ++c) {
    if (found[c]) out.push_back({kNeuSegmentClasses[c], runs_of(masks[c])});
  }
  return out;
}

}  // namespace

LabelFile read_neu_segmentation(const fs::path& folder) {
  LabelFile out;
  for (const fs::path& part : list_folders(folder / "annotations")) {
    for (const fs::path& file : list_files(part, [](const fs::path& f) { return is_image_file(f); })) {
      try {
        const RgbImage numbers = read_image(file);
        LabelledImage image{(part.filename() / file.stem()).native() + ".jpg",
                            numbers.width,
                            numbers.height,
                            regions_of(numbers),
                            {},
                            {},
                            {}};
        out.images.push_back(std::move(image));
      } catch (const Error& e) {
        out.problems.push_back(fmt::format("{}: {}", name_line(file), e.what()));
      }
    }
  }
  if (out.images.empty() && out.problems.empty()) {
    fail(ErrorCode::kBadInput,
         "{}: no picture in annotations/training or annotations/test: not NEU's form for segmentation",
         name_line(folder));
  }
  return out;
}

}  // namespace glint
