#include "glint/data/layout.h"

#include <string_view>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/data/box_list.h"
#include "glint/data/listed_layout.h"
#include "glint/data/loco_layout.h"
#include "glint/data/sample_listing.h"
#include "glint/data/surface_layout.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

void list_mvtec(SampleListing& listing) {
  const fs::path& root = listing.root();
  listing.add_class(root / "train" / kGoodClass, Role::kTrain, kGoodClass);
  // MVTec LOCO and MVTec 3D call the calibration images validation images.
  const char* calibration = is_folder(root / "calibration" / kGoodClass) ? "calibration" : "validation";
  const int images = listing.add_class(root / calibration / kGoodClass, Role::kCalibration, kGoodClass);
  if (images > 0 && calibration == std::string_view("validation"))
    listing.notice(fmt::format("validation/good: used as calibration/good ({})",
                               images == 1 ? "1 image" : fmt::format("{} images", images)));
  listing.add_test_classes(root / "test", kGoodClass);
  for (const char* name : {"ground_truth", "ground truth"}) listing.pair_masks(root / name);
}

/// The saturation of each kind of defect, beside the MVTec layout.
void add_saturations(Dataset& dataset) {
  const fs::path file = dataset.root / kSaturationFile;
  const auto table =
      std::make_shared<const SaturationTable>(parse_saturations(read_text(file), name_line(file)));
  for (Sample& sample : dataset.test) {
    if (sample.mask) sample.saturations = table;
  }
}

void list_mvtec_ad_2(SampleListing& listing) {
  const fs::path& root = listing.root();
  listing.add_class(root / "train" / kGoodClass, Role::kTrain, kGoodClass);
  listing.add_class(root / "validation" / kGoodClass, Role::kCalibration, kGoodClass);
  listing.add_test_classes(root / "test_public", kGoodClass, {"ground_truth"});
  listing.pair_masks(root / "test_public" / "ground_truth");
}

void list_btad(SampleListing& listing) {
  const fs::path& root = listing.root();
  listing.add_class(root / "train" / "ok", Role::kTrain, kGoodClass);
  listing.add_test_classes(root / "test", "ok");
  listing.pair_masks(root / "ground_truth");
}

}  // namespace

void FaultSink::add(const fs::path& path, const std::string& sentence) {
  if (handling_ == FaultHandling::kRefuse) throw Error(ErrorCode::kBadInput, sentence);
  const std::lock_guard lock(mutex_);
  dataset_.faults.push_back({relative_id(path, dataset_.root), sentence});
}

std::string relative_id(const fs::path& path, const fs::path& root) {
  return name_text(path_in(root, path));
}

std::string folder_name(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return whole.has_filename() ? whole.filename().native() : whole.parent_path().filename().native();
}

DatasetLayout recognise_layout(const fs::path& root) {
  if (is_folder(root / "Data" / "Images" / "Normal")) return DatasetLayout::kVisa;
  if (is_folder(root / "test_public")) return DatasetLayout::kMvtecAd2;
  if (is_folder(root / "train" / "ok") && !is_folder(root / "train" / kGoodClass))
    return DatasetLayout::kBtad;
  if (const auto surface = recognise_surface_layout(root)) return *surface;
  if (is_folder(root / "train") || is_folder(root / "test"))
    return is_there(root / kSaturationFile) ? DatasetLayout::kMvtecLoco : DatasetLayout::kMvtec;
  if (is_folder(root / "OK") && (is_folder(root / "NG") || !real_iad_list(root).empty()))
    return DatasetLayout::kRealIad;
  return DatasetLayout::kFlat;
}

void list_samples(Dataset& dataset, FaultSink& faults) {
  dataset.layout = recognise_layout(dataset.root);
  SampleListing listing(dataset, faults);
  switch (dataset.layout) {
    case DatasetLayout::kFlat:
      listing.add_class(dataset.root, Role::kTrain, kGoodClass, Below::kLeaveOut);
      break;
    case DatasetLayout::kMvtec:
      list_mvtec(listing);
      break;
    case DatasetLayout::kMvtecLoco:
      list_mvtec(listing);
      add_saturations(dataset);
      break;
    case DatasetLayout::kMvtecAd2:
      list_mvtec_ad_2(listing);
      break;
    case DatasetLayout::kBtad:
      list_btad(listing);
      break;
    case DatasetLayout::kVisa:
      list_visa(listing, dataset.categories[0]);
      break;
    case DatasetLayout::kRealIad:
      list_real_iad(listing);
      break;
    case DatasetLayout::kKolektor:
      list_kolektor(listing);
      break;
    case DatasetLayout::kKolektor2:
      list_kolektor_2(listing);
      break;
    case DatasetLayout::kDagm:
      list_dagm(listing);
      break;
    case DatasetLayout::kNeu:
      list_neu(listing);
      break;
  }
  listing.finish();
  read_boxes(dataset);
}

}  // namespace glint
