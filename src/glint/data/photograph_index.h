// Finds photographs by what an annotation export calls them.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "glint/data/image_tree.h"

namespace glint {

class PhotographIndex {
 public:
  /// All photographs below `folder`. Error(kNotFound) when there is no such folder.
  explicit PhotographIndex(const std::filesystem::path& folder);

  /// `name` is a file name, a path or an address: relative to the folder, or with folders in front of it that
  /// the photographs were under elsewhere, or with the eight digits and dash that Label Studio puts before
  /// uploaded files; with slashes or backslashes; with %XX, \xHH (base/names.h) or the bytes as they are.
  /// Error(kBadInput) with one sentence when there is none, more than one, or one in a folder of another name
  /// only.
  std::filesystem::path find(const std::string& name) const;

  const ImageTree& tree() const { return tree_; }

 private:
  std::vector<std::filesystem::path> named(const std::filesystem::path& path) const;
  std::vector<std::filesystem::path> uploaded(const std::filesystem::path& path) const;

  std::filesystem::path folder_;
  ImageTree tree_;
  std::multimap<std::string, std::filesystem::path> by_name_;
};

}  // namespace glint
