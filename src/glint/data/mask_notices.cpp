#include "glint/data/mask_notices.h"

#include <algorithm>

#include "glint/data/layout.h"

namespace glint {

void MaskNotices::add(const Sample& sample, const MaskFile& mask, int orientation,
                      const std::filesystem::path& root) {
  const std::string id = relative_id(*sample.mask, root);
  const std::lock_guard lock(mutex_);
  for (const MaskNotice& notice : mask.notices) details_[notice.what][id] = notice.detail;
  const auto& pixels = mask.mask.pixels;
  if (sample.anomalous() && std::find(pixels.begin(), pixels.end(), 1) == pixels.end())
    details_["the mask of a defect is empty: all of its pixels count as normal"][id] = "no pixel above 0";
  if (mask.orientation != orientation) {
    details_
        ["photograph and mask are not turned alike by their EXIF orientation; the mask must fit the "
         "photograph as it is shown"][id] = fmt::format("{} and {}", orientation, mask.orientation);
  }
}

std::vector<std::string> MaskNotices::warnings() const {
  constexpr std::size_t kNamed = 3;
  std::vector<std::string> out;
  for (const auto& [what, masks] : details_) {
    std::string names;
    std::size_t named = 0;
    for (const auto& [id, detail] : masks) {
      if (named++ == kNamed) break;
      names += (names.empty() ? "" : "; ") + id + ": " + detail;
    }
    if (masks.size() > kNamed) names += "; ...";
    out.push_back(
        fmt::format("{} {}: {} ({})", masks.size(), masks.size() == 1 ? "mask" : "masks", what, names));
  }
  return out;
}

}  // namespace glint
