// Annotated photographs into a dataset in MVTec layout: nothing is written unless everything fits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "glint/base/progress.h"
#include "glint/data/label_file.h"

namespace glint {

struct ImportOptions {
  std::vector<std::string> classes;  ///< labels that may occur; empty = any
  double test_good_share = 0.2;      ///< of the good images that go to test/good, at least one of two
  std::uint64_t seed = 0;            ///< which of them
};

struct ImportSummary {
  int train_good = 0, test_good = 0;
  std::map<std::string, int> anomalous;  ///< images per class
  int regions = 0;
};

/// Class of an image whose regions have several labels.
inline constexpr const char* kCombinedClass = "combined";

/// Writes `out`. Images are looked for below `images`: by the path the export names, else by file name, also
/// without the eight digits and dash that Label Studio puts before uploaded files. An image without regions
/// is good. Regions become one mask; where two touch, a gap of one pixel keeps them apart. Error(kBadInput)
/// lists everything that does not fit: problems of the file, images that are missing, ambiguous, listed twice
/// or of another size, labels not among `classes` or not fit for a folder name.
ImportSummary import_labels(const LabelFile& labels, const std::filesystem::path& images,
                            const ImportOptions& options, const std::filesystem::path& out,
                            ProgressSink& progress);

/// Folders of good and of bad photographs, without masks. Folders inside `bad` are its classes; images
/// directly in it are class "bad".
ImportSummary import_folders(const std::filesystem::path& good, const std::filesystem::path& bad,
                             const ImportOptions& options, const std::filesystem::path& out,
                             ProgressSink& progress);

/// Paints a region of the same size into `combined`, with a gap of one pixel to what is there already.
void add_region(Mask& combined, const Mask& region);

}  // namespace glint
