// Synthetic defects of a chosen size and contrast in photographs of good parts: for the detection limit and
// for studies, which measure with them. They resemble defects; they are not defects. Those that a method
// trains with are others: textured_defect.h.
#pragma once

#include <cstdint>

#include "glint/base/options.h"
#include "glint/image/defective_image.h"

namespace glint {

/// scratch: a thin bent line, `size` its length, width a twentieth (at least 1 pixel). blob: a disc with a
/// soft edge, `size` its diameter. stain: an irregular patch of another tint without a sharp edge, `size` its
/// mean diameter. cutpaste: a rectangle of the same photograph, moved and changed in brightness (Li et al.
/// 2021), `size` the root of its area.
enum class SyntheticDefect { kScratch, kBlob, kStain, kCutPaste };
template <>
struct EnumNames<SyntheticDefect> {
  static constexpr std::pair<SyntheticDefect, std::string_view> table[] = {
      {SyntheticDefect::kScratch, "scratch"},
      {SyntheticDefect::kBlob, "blob"},
      {SyntheticDefect::kStain, "stain"},
      {SyntheticDefect::kCutPaste, "cutpaste"}};
};

/// One defect of `size` pixels at a random place of `part` (anywhere when it is empty), brighter or darker at
/// random by `contrast` of the grey range. The mask is where the change is at least a quarter of the largest;
/// never empty. Depends only on the arguments.
DefectiveImage add_synthetic_defect(const RgbImage& good, const Mask& part, SyntheticDefect kind, double size,
                                    double contrast, std::uint64_t seed);

}  // namespace glint
