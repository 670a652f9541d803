// How published datasets lay out their folders: which file is a training, calibration or test image of which
// class, and which mask belongs to it. Lists only; nothing is decoded here.
#pragma once

#include <filesystem>
#include <mutex>
#include <string>

#include "glint/data/dataset.h"

namespace glint {

/// Faulty files: refused at once or collected in the dataset, as the options say. Thread-safe.
class FaultSink {
 public:
  FaultSink(Dataset& dataset, FaultHandling handling) : dataset_(dataset), handling_(handling) {}
  void add(const std::filesystem::path& path, const std::string& sentence);
  bool collects() const { return handling_ == FaultHandling::kCollect; }

 private:
  Dataset& dataset_;
  FaultHandling handling_;
  std::mutex mutex_;
};

/// The layout that the folders at `root` show; flat when nothing else fits.
DatasetLayout recognise_layout(const std::filesystem::path& root);

/// Fills train, calibration, test, their masks, `layout` and `warnings` of a dataset whose root and
/// categories are set. Layouts (https addresses and structure in docs/datasets.md): MVTec AD: train/good,
/// calibration/good (else validation/good), test/CLASS, ground_truth/CLASS ("ground truth"); masks of MVTec
/// LOCO too, several in a folder per image. MVTec AD 2: train/good, validation/good (calibrates),
/// test_public/{good,bad}, test_public/ground_truth/bad; the private test sets have no labels and are left
/// out with a warning. BTAD: train/ok, test/{ok,ko}, ground_truth/ko; "ok" becomes "good". VisA:
/// Data/Images/{Normal,Anomaly}, Data/Masks/Anomaly, divided by ../split_csv/1cls.csv. Real-IAD: image
/// folders OK and NG, divided by CATEGORY.json in the folder, beside it, or in
/// ../realiad_jsons. MVTec LOCO: MVTec's folders and defects_config.json (loco_layout.h). KolektorSDD,
/// KolektorSDD2, DAGM 2007, NEU: surface_layout.h. MPDD has MVTec AD's layout. boxes.csv (box_list.h) may lie
/// in any.
/// Folders inside a class's folder belong to it. Every picture below the root that is not used is named by a
/// warning, by folder and number (sample_listing.h).
/// Error(kBadInput) names a missing or damaged list, and an entry that points outside the dataset.
void list_samples(Dataset& dataset, FaultSink& faults);

/// The folder's own name (bytes), also of "." or a path that ends with a slash.
std::string folder_name(const std::filesystem::path& folder);

/// The id of an image or mask: where it lies in the dataset, by name alone (links are not resolved), as
/// name_text writes it.
std::string relative_id(const std::filesystem::path& path, const std::filesystem::path& root);

}  // namespace glint
