// A new dataset in MVTec layout, complete or not there at all.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "glint/base/files.h"
#include "glint/data/dataset.h"
#include "glint/image/image.h"

namespace glint {

/// True for a class's name that can be a folder's: not empty, no path, no control characters, none of what
/// other systems forbid in names, no leading dot.
bool fits_a_folder(const std::string& label);

/// Copies images into a folder of its own beside `out`, which gets the name `out` at the end.
class DatasetWriter {
 public:
  /// Error(kBadInput) when `out` exists and is anything but an empty folder.
  explicit DatasetWriter(const std::filesystem::path& out) : staged_(out) {}

  /// Copies the file (what a link leads to), with a number appended where its name is taken; `mask` becomes
  /// ground_truth/LABEL/STEM_mask.png. Training and calibration images must be good. Returns the id that the
  /// image has in the new dataset.
  std::string add(const std::filesystem::path& image, Role role, const std::string& label,
                  const std::optional<Mask>& mask = std::nullopt);
  /// A file beside the class folders.
  void add_text(const std::string& name, std::string_view text);
  void finish() { staged_.commit(); }

 private:
  StagedFolder staged_;
  std::set<std::filesystem::path> used_;  ///< folder / stem
};

}  // namespace glint
