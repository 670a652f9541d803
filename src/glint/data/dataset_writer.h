// A new dataset in MVTec layout, complete or not there at all.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "glint/data/dataset.h"
#include "glint/image/image.h"

namespace glint {

/// Copies images into a folder beside `out` and renames it at the end.
class DatasetWriter {
 public:
  /// Error(kBadInput) when `out` exists and is not empty.
  explicit DatasetWriter(std::filesystem::path out);
  ~DatasetWriter();  ///< removes what was written when finish() was not reached
  DatasetWriter(const DatasetWriter&) = delete;
  DatasetWriter& operator=(const DatasetWriter&) = delete;

  /// Copies the file, with a number appended where its name is taken; `mask` becomes
  /// ground_truth/LABEL/STEM_mask.png. Training and calibration images must be good.
  void add(const std::filesystem::path& image, Role role, const std::string& label,
           const std::optional<Mask>& mask = std::nullopt);
  void finish();

 private:
  std::filesystem::path out_, building_;
  std::set<std::filesystem::path> used_;  ///< folder / stem
};

}  // namespace glint
