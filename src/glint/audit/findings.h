// What a dataset audit finds from the images and masks alone. The checks that need a network (near
// duplicates, suspicious training images) are in audit.h, which also puts everything together.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "glint/base/progress.h"
#include "glint/data/dataset.h"
#include "glint/image/measure.h"

namespace glint {

/// notice: a fact to know. warning: figures or decisions suffer. error: figures are wrong.
enum class Severity { kNotice, kWarning, kError };
template <>
struct EnumNames<Severity> {
  static constexpr std::pair<Severity, std::string_view> table[] = {
      {Severity::kNotice, "notice"}, {Severity::kWarning, "warning"}, {Severity::kError, "error"}};
};

/// Images that belong together in a finding: one, a pair, or a group of duplicates.
struct FindingItem {
  std::vector<std::string> ids;
  std::string note;  ///< e.g. the measured value
};

struct Finding {
  Severity severity = Severity::kWarning;
  std::string check;  ///< leakage, normal_class, imaging, resolution, test_set, masks, fingerprint, files
  std::string title;  ///< one sentence
  std::string why;    ///< why it matters
  std::string advice;
  std::vector<FindingItem> items;  ///< worst first; may be empty
};

/// Everything measured of one image.
struct AuditedImage {
  Sample sample;
  ImageMeasures measures;
  std::uint64_t perceptual = 0;
  std::string pixel_sha256;  ///< of size and decoded pixels
  std::optional<MaskMeasures> mask;
  double mask_grey_share = 0;
  std::vector<MaskNotice> mask_notices;  ///< how the mask was read, where it is not black and white
};

/// Decodes every image once. Order: train, calibration, test.
std::vector<AuditedImage> measure_dataset(const Dataset& dataset, ProgressSink& progress);

/// One measure over the images, for the report. NaN where it has no meaning.
struct Distribution {
  std::string name, unit;
  std::vector<double> values;  ///< by image, in the order of measure_dataset
};
std::vector<Distribution> imaging_distributions(const std::vector<AuditedImage>& images);

struct ResolutionOptions {
  int input_size = 288;             ///< side of the network's input, whole image
  double pixel_pitch_um = 0;        ///< of the photograph; 0 = unknown
  double smallest_defect_um = 200;  ///< the study's 0.2 mm; used with a pitch
};

/// Span that the smallest defect should have (recommendation 4 of the study).
inline constexpr double kLeastDefectSpanPx = 8;

std::vector<Finding> audit_files(const Dataset& dataset);
std::vector<Finding> audit_identity(const std::vector<AuditedImage>& images);
/// Test images captured between training images of the same run, by the times in the file names.
std::vector<Finding> audit_sequence(const std::vector<AuditedImage>& images);
std::vector<Finding> audit_imaging(const std::vector<AuditedImage>& images);
std::vector<Finding> audit_resolution(const std::vector<AuditedImage>& images,
                                      const ResolutionOptions& options);
std::vector<Finding> audit_masks(const std::vector<AuditedImage>& images);

/// Area and share of the masks of one defect class.
struct MaskSummary {
  std::string label;
  int images = 0, with_mask = 0, regions = 0;
  double area_least = 0, area_median = 0, area_mean = 0, area_most = 0;  ///< pixels per image
  double share_mean = 0;                                                 ///< of the image
};
std::vector<MaskSummary> mask_summaries(const std::vector<AuditedImage>& images);

}  // namespace glint
