// MVTec-style folders as a list of samples: found, paired by name and checked, but not split and not decoded
// for use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glint/base/options.h"
#include "glint/base/progress.h"
#include "glint/image/codec.h"
#include "glint/image/image.h"
#include "glint/image/mask_file.h"

namespace glint {

inline constexpr const char* kGoodClass = "good";

enum class Role { kTrain, kCalibration, kTest };
template <>
struct EnumNames<Role> {
  static constexpr std::pair<Role, std::string_view> table[] = {
      {Role::kTrain, "train"}, {Role::kCalibration, "calibration"}, {Role::kTest, "test"}};
};

/// What the folders look like; data/layout.h says what each means.
enum class DatasetLayout {
  kFlat,
  kMvtec,
  kMvtecLoco,
  kMvtecAd2,
  kBtad,
  kVisa,
  kRealIad,
  kKolektor,
  kKolektor2,
  kDagm,
  kNeu
};
template <>
struct EnumNames<DatasetLayout> {
  static constexpr std::pair<DatasetLayout, std::string_view> table[] = {
      {DatasetLayout::kFlat, "flat"},
      {DatasetLayout::kMvtec, "mvtec_ad"},
      {DatasetLayout::kMvtecLoco, "mvtec_loco"},
      {DatasetLayout::kMvtecAd2, "mvtec_ad_2"},
      {DatasetLayout::kBtad, "btad"},
      {DatasetLayout::kVisa, "visa"},
      {DatasetLayout::kRealIad, "real_iad"},
      {DatasetLayout::kKolektor, "kolektor_sdd"},
      {DatasetLayout::kKolektor2, "kolektor_sdd2"},
      {DatasetLayout::kDagm, "dagm_2007"},
      {DatasetLayout::kNeu, "neu_surface"}};
};

/// A box around a defect, where a dataset has no mask of it. Pixels; x1 and y1 are exclusive.
struct DefectBox {
  std::string label;
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};

struct SaturationTable;  // data/loco_layout.h

struct Sample {
  std::filesystem::path path;
  std::string id;  ///< where it lies in the dataset, by name alone; text as name_text writes it
  Role role = Role::kTrain;
  std::string label;     ///< folder name as text: "good" or a defect class
  std::string category;  ///< name of the dataset's folder, as text
  std::optional<std::filesystem::path> mask;
  std::vector<std::filesystem::path> further_masks;  ///< of the same image; the union of all is its mask
  MaskRule mask_rule = MaskRule::kAboveHalf;
  std::shared_ptr<const SaturationTable> saturations;  ///< MVTec LOCO: of its masks, one region a file
  std::vector<DefectBox> boxes;                        ///< data/box_list.h; never masks
  std::string sha256;                                  ///< of the file's bytes
  int width = 0, height = 0;

  bool anomalous() const { return label != kGoodClass; }
};

/// Something that scan_dataset refuses, or collects for an audit.
struct DatasetFault {
  std::string id;        ///< of the image or mask, relative to the dataset
  std::string sentence;  ///< what is wrong and the way out
};

struct Dataset {
  std::filesystem::path root;           ///< of the first category
  std::vector<std::string> categories;  ///< folder names
  DatasetLayout layout = DatasetLayout::kFlat;
  std::vector<Sample> train;        ///< good parts
  std::vector<Sample> calibration;  ///< from calibration/good, usually empty
  std::vector<Sample> test;
  bool masks_present = false;
  std::vector<std::string> warnings;  ///< what was left out or read in a way that one might not expect
  std::vector<std::string> leaked;    ///< "train/good/1.png = test/good/7.png", only with allow_leakage
  std::vector<DatasetFault> faults;   ///< only with FaultHandling::kCollect

  /// The folder's name; of several, joined by '+'.
  std::string name() const;
  /// SHA-256 over all (id, file hash) pairs: the dataset's fingerprint.
  std::string fingerprint() const;
};

enum class DatasetUse { kTrain, kEvaluate };

/// kCollect leaves faulty images and masks out and lists them; counts of images are not checked either.
enum class FaultHandling { kRefuse, kCollect };
/// What to do when the dataset differs from its locked split (data/split_lock.h).
enum class LockHandling { kRequire, kIgnore };

struct DatasetOptions {
  DatasetUse use = DatasetUse::kTrain;
  bool allow_leakage = false;
  FaultHandling faults = FaultHandling::kRefuse;
  LockHandling lock = LockHandling::kRequire;
};

/// Scans, hashes and decodes every file once. Layouts: train/good, calibration/good, test/<class>,
/// ground_truth/<class>/<stem>_mask.* (also "ground truth", also the mask named like its image), those of
/// other published datasets (data/layout.h), or a flat folder of good images. Errors name the file and the
/// way out: no image, an image that does not decode, a link to nothing or a folder that cannot be listed
/// where images belong, a mask of another size, a mask without image, the same bytes in train and test
/// (unless allowed), fewer than 10 good images for training, a dataset that differs from its locked split.
Dataset scan_dataset(const std::filesystem::path& root, const DatasetOptions& options,
                     ProgressSink& progress);

/// Several categories as one dataset, for one detector of all of them: ids start with the category's name.
/// Error(kBadInput) when two folders have the same name.
Dataset scan_datasets(const std::vector<std::filesystem::path>& roots, const DatasetOptions& options,
                      ProgressSink& progress);

/// Takes the training and calibration images named in `file` (data/name_list.h) out of the dataset.
/// Error(kBadInput) names a line that names no such image. Returns how many.
int exclude_samples(Dataset& dataset, const std::filesystem::path& file);

/// Takes training images out that have the bytes of another training or calibration image, and adds a warning
/// that names them: a split would put one photograph on both of its sides. Returns how many. Error(kBadInput)
/// when too few remain to train.
int leave_out_copies(Dataset& dataset);

/// Mask of a test sample at the image's size; all zero for a good image, empty when an anomalous image has
/// none.
std::optional<Mask> load_mask(const Sample& sample);

inline constexpr int kLeastGoodImages = 10;

}  // namespace glint
