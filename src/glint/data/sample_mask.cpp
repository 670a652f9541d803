#include "glint/data/sample_mask.h"

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/names.h"

namespace glint {

MaskFile read_sample_mask(const Sample& sample) {
  MaskFile out = read_mask_file(*sample.mask, sample.mask_rule);
  for (const std::filesystem::path& path : sample.further_masks) {
    const MaskFile further = read_mask_file(path, sample.mask_rule);
    if (further.mask.width != out.mask.width || further.mask.height != out.mask.height) {
      fail(ErrorCode::kBadInput,
           "{}: {}x{}, but {} of the same image is {}x{}; export them at the image's size", name_line(path),
           further.mask.width, further.mask.height, name_line(*sample.mask), out.mask.width, out.mask.height);
    }
    for (std::size_t i = 0; i < out.mask.pixels.size(); ++i) out.mask.pixels[i] |= further.mask.pixels[i];
    out.grey_share = std::max(out.grey_share, further.grey_share);
    out.notices.insert(out.notices.end(), further.notices.begin(), further.notices.end());
  }
  return out;
}

}  // namespace glint
