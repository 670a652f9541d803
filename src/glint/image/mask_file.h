// Mask files: which pixels of a file are the defect. Black is normal. Files that say it in another way than
// black and white are read by the one rule of docs/datasets.md, with a notice, or refused with the values
// seen; no defect becomes normal surface, and no picture becomes all defect, without a word.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "glint/image/codec.h"
#include "glint/image/image.h"

namespace glint {

/// kAboveHalf: black and white, and what comes near. kNonZero: all but 0 is a defect (published sets that
/// number their defects, as VisA's); nothing is refused or judged then.
enum class MaskRule { kAboveHalf, kNonZero };

/// Something that a user should know of how a mask was read.
struct MaskNotice {
  std::string what;    ///< the same words for all masks that were read in this way
  std::string detail;  ///< of this mask: "values 0, 1"
};

/// MaskNotice::what of a mask with a grey_share.
inline constexpr const char* kCutAtHalf =
    "grey pixels between black and white (smoothed outlines or lossy compression): cut at half";

struct MaskFile {
  Mask mask;
  double grey_share = 0;  ///< of pixels that were cut at half of the range; 0 for a binary mask
  int orientation = 1;    ///< EXIF orientation that was applied
  std::vector<MaskNotice> notices;
};

/// Error(kBadInput) when it does not decode, or has no one meaning: it names the file, the values and the way
/// out.
MaskFile read_mask_file(const std::filesystem::path& path, MaskRule rule = MaskRule::kAboveHalf);
MaskFile decode_mask_file(std::span<const std::byte> bytes, const std::string& name,
                          MaskRule rule = MaskRule::kAboveHalf, std::int64_t max_pixels = kMaxPixels);
Mask read_mask(const std::filesystem::path& path, MaskRule rule = MaskRule::kAboveHalf);

}  // namespace glint
