// Annotated photographs into a dataset in MVTec layout: nothing is written unless everything fits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "glint/base/options.h"
#include "glint/base/progress.h"
#include "glint/labels/label_file.h"

namespace glint {

/// What becomes of an image with boxes that have no outline. A box is no mask, so it never becomes one.
enum class BoxUse {
  kRefuse,
  kClass,  ///< the image's class, without a mask; the boxes go to boxes.csv (data/box_list.h)
};

template <>
struct EnumNames<BoxUse> {
  static constexpr std::pair<BoxUse, std::string_view> table[] = {{BoxUse::kRefuse, "refuse"},
                                                                  {BoxUse::kClass, "class"}};
};

struct ImportOptions {
  std::vector<std::string> classes;  ///< labels that may occur; empty = any
  std::vector<std::string> good;     ///< choices for the whole image that mean a good part
  BoxUse boxes = BoxUse::kRefuse;
  std::vector<std::string> ignored;  ///< kinds of results without an area that say nothing of defects
  double test_good_share = 0.2;      ///< of the good images that go to test/good, at least one of two
  std::uint64_t seed = 0;            ///< which of them
};

struct ImportSummary {
  int train_good = 0, test_good = 0;
  std::map<std::string, int> anomalous;  ///< images per class
  int regions = 0, boxes = 0;
  std::vector<std::string>
      notices;  ///< what was left out, and images that count as good because nothing is marked
};

/// Class of an image whose regions have several labels.
inline constexpr const char* kCombinedClass = "combined";

/// Writes `out`. Images are looked for below `images` (photograph_index.h). Regions become one mask; where
/// two touch, a gap of one pixel keeps them apart. A choice for the whole image makes it good when it is
/// among `good`; else it is the image's class, without a mask, when it is among `classes`, or when `good` is
/// given and `classes` is not. An image of which nothing is said is good, and so is one that the file does
/// not name when the file lists defective images only. Error(kBadInput) lists everything that does not fit:
/// problems of the file; images that are missing, ambiguous, listed twice, of another size or the same file
/// under two classes; boxes, unless the options take their classes; labels not among `classes` or not fit for
/// a folder name; and images that can be filed neither as good nor as a class: other choices, choices that
/// contradict each other or the regions, results without an area that may stand for a defect.
ImportSummary import_labels(const LabelFile& labels, const std::filesystem::path& images,
                            const ImportOptions& options, const std::filesystem::path& out,
                            ProgressSink& progress);

/// Folders of good and of bad photographs, without masks. Folders inside `bad` are its classes; images
/// directly in it are class "bad". Other folders inside are left out with a notice. Error(kBadInput) lists
/// images that do not decode, and files that are both good and bad.
ImportSummary import_folders(const std::filesystem::path& good, const std::filesystem::path& bad,
                             const ImportOptions& options, const std::filesystem::path& out,
                             ProgressSink& progress);

/// Paints a region of the same size into `combined`, with a gap of one pixel to what is there already.
void add_region(Mask& combined, const Mask& region);

}  // namespace glint
