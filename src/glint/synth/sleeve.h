// The synthetic steel sleeve: a stand-in for the study's part, so that the whole chain can be tried without
// data.
//
// A polished cylinder with two bevelled rectangular cut-outs is intersected analytically per ray; a
// microfacet surface with turning marks mirrors an annular light and a white chamber. Defects change geometry
// or reflectance, and the masks follow from the same functions. Not a general renderer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "glint/base/options.h"
#include "glint/base/progress.h"
#include "glint/image/image.h"

namespace glint {

enum class SleeveDefect { kNone, kBevel1, kBevel2, kColour, kDent, kScratch };
template <>
struct EnumNames<SleeveDefect> {
  static constexpr std::pair<SleeveDefect, std::string_view> table[] = {
      {SleeveDefect::kNone, "good"},     {SleeveDefect::kBevel1, "bevel1"},
      {SleeveDefect::kBevel2, "bevel2"}, {SleeveDefect::kColour, "colour"},
      {SleeveDefect::kDent, "dent"},     {SleeveDefect::kScratch, "scratch"}};
};

/// How plain the defects are beside a good part's nuisances (docs/sleeves.md): `study` is calibrated to the
/// study's figures, `hard` has strong nuisances that hide bevels and colour, `easy` plainly visible defects.
enum class SleeveDifficulty { kStudy, kHard, kEasy };
template <>
struct EnumNames<SleeveDifficulty> {
  static constexpr std::pair<SleeveDifficulty, std::string_view> table[] = {
      {SleeveDifficulty::kStudy, "study"},
      {SleeveDifficulty::kHard, "hard"},
      {SleeveDifficulty::kEasy, "easy"}};
};

struct SleeveImage {
  RgbImage image;
  Mask mask;
};

/// One part at size x size pixels; depends only on the arguments. The mask is never empty for a defect.
SleeveImage render_sleeve(SleeveDefect defect, int size, std::uint64_t seed,
                          SleeveDifficulty difficulty = SleeveDifficulty::kStudy);

struct SleeveSetOptions {
  int train = 340;
  int test_good = 10;
  std::vector<int> per_class = {9, 11, 12, 11,
                                10};  ///< bevel1, bevel2, colour, dent, scratch: the study's counts
  int size = 640;
  std::uint64_t seed = 0;
  SleeveDifficulty difficulty = SleeveDifficulty::kStudy;
};

/// Writes a set in MVTec layout; same options, same bytes. Error(kBadInput) when `out` exists and is not
/// empty. Returns the number of images.
int write_sleeve_set(const std::filesystem::path& out, const SleeveSetOptions& options,
                     ProgressSink& progress);

}  // namespace glint
