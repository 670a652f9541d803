#include "glint/data/dataset_writer.h"

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/image/codec.h"
#include "glint/image/image_name.h"

namespace fs = std::filesystem;

namespace glint {

bool fits_a_folder(const std::string& label) {
  return !label.empty() && label.size() < 200 && !is_foreign_name(label) && label != "." && label != ".." &&
         label.find_first_of("/\\:*?\"<>|") == std::string::npos && label.front() != ' ' &&
         label.back() != ' ' &&
         std::none_of(label.begin(), label.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string DatasetWriter::add(const fs::path& image, Role role, const std::string& label,
                               const std::optional<Mask>& mask) {
  GLINT_CHECK(role == Role::kTest || label == kGoodClass);
  const fs::path class_name = name_bytes(label);
  const fs::path folder = fs::path(enum_name(role)) / class_name;
  // "a" and "a_mask" in one class would share the name of a mask.
  const std::string name = image.stem().native();
  std::string stem = name;
  for (int n = 2; used_.contains(folder / stem) || used_.contains(folder / (stem + "_mask")) ||
                  (stem.ends_with("_mask") && used_.contains(folder / stem.substr(0, stem.size() - 5)));
       ++n)
    stem = fmt::format("{}_{}", name, n);
  used_.insert(folder / stem);
  make_folder(staged_.path() / folder);
  const fs::path to = staged_.path() / folder / (stem + image.extension().native());
  std::error_code error;
  fs::copy_file(image, to, error);
  if (error) {
    fail(ErrorCode::kIo, "{}: cannot be copied to {}: {}", name_line(image), name_line(to), error.message());
  }
  if (mask) {
    write_file(staged_.path() / "ground_truth" / class_name / (stem + "_mask.png"), encode_png(*mask));
  }
  return name_text(folder / to.filename());
}

void DatasetWriter::add_text(const std::string& name, std::string_view text) {
  write_text(staged_.path() / name, text);
}

}  // namespace glint
