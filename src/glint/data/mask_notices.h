// What a user should know of how masks were read, gathered over a dataset: one warning per kind.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "glint/data/dataset.h"

namespace glint {

class MaskNotices {
 public:
  /// The notices of the mask of `sample`, whose photograph was turned by `orientation`. Any thread.
  void add(const Sample& sample, const MaskFile& mask, int orientation, const std::filesystem::path& root);
  /// One sentence per kind: how many masks, and the first of them by name.
  std::vector<std::string> warnings() const;

 private:
  std::mutex mutex_;
  std::map<std::string, std::map<std::string, std::string>> details_;  ///< kind, mask's id: detail
};

}  // namespace glint
