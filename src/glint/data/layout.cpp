#include "glint/data/layout.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/image/codec.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxListBytes = std::uint64_t{256} << 20;

Sample make_sample(const Dataset& dataset, const fs::path& path, Role role, const std::string& label) {
  Sample sample;
  sample.path = path;
  sample.id = relative_id(path, dataset.root);
  sample.role = role;
  sample.label = label;
  sample.category = dataset.categories[0];
  return sample;
}

void add(Dataset& dataset, Sample sample) {
  auto& part = sample.role == Role::kTrain         ? dataset.train
               : sample.role == Role::kCalibration ? dataset.calibration
                                                   : dataset.test;
  part.push_back(std::move(sample));
}

void add_folder(Dataset& dataset, const fs::path& folder, Role role, const std::string& label) {
  for (const fs::path& path : list_files(folder, is_image_file))
    add(dataset, make_sample(dataset, path, role, label));
}

/// Masks in `ground_truth`/`folder label`, named like their image or with "_mask" behind it.
void pair_masks(Dataset& dataset, const fs::path& ground_truth, FaultSink& faults) {
  std::map<fs::path, Sample*> by_key;
  for (Sample& sample : dataset.test) {
    by_key[fs::path(sample.label) / sample.path.stem()] = &sample;
  }
  for (const fs::path& folder : list_folders(ground_truth)) {
    const std::string label = folder.filename().string();
    for (const fs::path& mask : list_files(folder, is_image_file)) {
      std::string stem = mask.stem().string();
      auto found = by_key.find(fs::path(label) / stem);
      if (found == by_key.end() && stem.ends_with("_mask")) {
        stem.resize(stem.size() - 5);
        found = by_key.find(fs::path(label) / stem);
      }
      if (found == by_key.end()) {
        faults.add(mask, fmt::format("{}: a mask without its image test/{}/{}.*; remove it or add the image",
                                     mask.string(), label, stem));
      } else if (found->second->mask) {
        faults.add(mask, fmt::format("{}: a second mask for {}; keep one of them", mask.string(),
                                     found->second->id));
      } else {
        found->second->mask = mask;
        dataset.masks_present = true;
      }
    }
  }
}

void list_mvtec(Dataset& dataset, FaultSink& faults) {
  const fs::path& root = dataset.root;
  add_folder(dataset, root / "train" / kGoodClass, Role::kTrain, kGoodClass);
  add_folder(dataset, root / "calibration" / kGoodClass, Role::kCalibration, kGoodClass);
  for (const fs::path& folder : list_folders(root / "train")) {
    if (folder.filename() == kGoodClass) continue;
    dataset.warnings.push_back(fmt::format("{} is ignored: only train/good is trained on", folder.string()));
  }
  for (const fs::path& folder : list_folders(root / "test"))
    add_folder(dataset, folder, Role::kTest, folder.filename().string());
  for (const char* name : {"ground_truth", "ground truth"}) pair_masks(dataset, root / name, faults);
}

void list_mvtec_ad_2(Dataset& dataset, FaultSink& faults) {
  const fs::path& root = dataset.root;
  add_folder(dataset, root / "train" / kGoodClass, Role::kTrain, kGoodClass);
  add_folder(dataset, root / "validation" / kGoodClass, Role::kCalibration, kGoodClass);
  for (const fs::path& folder : list_folders(root / "test_public")) {
    if (folder.filename() != "ground_truth")
      add_folder(dataset, folder, Role::kTest, folder.filename().string());
  }
  pair_masks(dataset, root / "test_public" / "ground_truth", faults);
  for (const char* name : {"test_private", "test_private_mixed"}) {
    if (fs::is_directory(root / name))
      dataset.warnings.push_back(fmt::format("{} is left out: it has no labels", name));
  }
}

void list_btad(Dataset& dataset, FaultSink& faults) {
  const fs::path& root = dataset.root;
  add_folder(dataset, root / "train" / "ok", Role::kTrain, kGoodClass);
  for (const fs::path& folder : list_folders(root / "test")) {
    const std::string name = folder.filename().string();
    add_folder(dataset, folder, Role::kTest, name == "ok" ? kGoodClass : name);
  }
  pair_masks(dataset, root / "ground_truth", faults);
}

/// `base`/`relative` when that stays below `base`.
fs::path path_inside(const fs::path& base, const std::string& relative, const fs::path& list) {
  const fs::path path = fs::path(relative).lexically_normal();
  if (relative.empty() || path.is_absolute() || *path.begin() == "..") {
    fail(ErrorCode::kBadInput, "{}: the entry '{}' points outside the dataset", list.string(), relative);
  }
  return base / path;
}

/// Fields of a CSV line; quoted fields may hold commas.
std::vector<std::string> csv_fields(const std::string& line) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      out.emplace_back();
    } else if (c != '\r') {
      out.back() += c;
    }
  }
  return out;
}

void list_visa(Dataset& dataset, FaultSink& faults) {
  const fs::path list = fs::absolute(dataset.root).lexically_normal() / ".." / "split_csv" / "1cls.csv";
  if (!fs::exists(list)) {
    fail(ErrorCode::kBadInput,
         "{}: VisA's list of training and test images is missing; keep the folder split_csv of the download "
         "beside the categories",
         list.lexically_normal().string());
  }
  std::istringstream lines(read_text(list, kMaxListBytes));
  std::string line;
  std::getline(lines, line);
  const std::vector<std::string> header = csv_fields(line);
  std::map<std::string, std::size_t> column;
  for (std::size_t i = 0; i < header.size(); ++i) column[header[i]] = i;
  for (const char* name : {"object", "split", "label", "image", "mask"}) {
    if (!column.count(name))
      fail(ErrorCode::kBadInput, "{}: no column '{}' in its first line", list.string(), name);
  }
  for (int number = 2; std::getline(lines, line); ++number) {
    if (line.empty()) continue;
    const std::vector<std::string> fields = csv_fields(line);
    if (fields.size() < header.size()) {
      fail(ErrorCode::kBadInput, "{}, line {}: {} fields instead of {}", list.string(), number, fields.size(),
           header.size());
    }
    if (fields[column["object"]] != dataset.categories[0]) continue;
    const bool normal = fields[column["label"]] == "normal";
    const bool train = fields[column["split"]] == "train";
    if (train && !normal) continue;  // some of the published splits train with anomalies; not this one
    const fs::path base = dataset.root / "..";
    const fs::path image = path_inside(base, fields[column["image"]], list).lexically_normal();
    if (!fs::exists(image)) {
      faults.add(image,
                 fmt::format("{}: named in {}, line {}, but absent", image.string(), list.string(), number));
      continue;
    }
    Sample sample =
        make_sample(dataset, image, train ? Role::kTrain : Role::kTest, normal ? kGoodClass : "anomaly");
    sample.mask_rule = MaskRule::kNonZero;
    if (!normal && !fields[column["mask"]].empty()) {
      sample.mask = path_inside(base, fields[column["mask"]], list).lexically_normal();
      dataset.masks_present = true;
    }
    add(dataset, std::move(sample));
  }
  if (dataset.train.empty() && dataset.test.empty()) {
    fail(ErrorCode::kBadInput, "{}: names no image of '{}'; the category's folder must keep its name",
         list.string(), dataset.categories[0]);
  }
}

/// The list of a Real-IAD category, wherever its archives put it; empty when there is none.
fs::path real_iad_list(const fs::path& root) {
  const fs::path whole = fs::absolute(root).lexically_normal();
  const std::string file = folder_name(root) + ".json";
  for (const fs::path& folder :
       {whole, whole / "..", whole / ".." / "realiad_jsons", whole / ".." / ".." / "realiad_jsons",
        whole / ".." / "realiad_jsons" / "realiad_jsons"}) {
    if (fs::exists(folder / file)) return (folder / file).lexically_normal();
  }
  return {};
}

void list_real_iad(Dataset& dataset, FaultSink& faults) {
  const fs::path list = real_iad_list(dataset.root);
  if (list.empty()) {
    fail(ErrorCode::kBadInput,
         "{}: Real-IAD's list {}.json is missing; put it into the folder, beside it, or into "
         "../realiad_jsons",
         dataset.root.string(), dataset.categories[0]);
  }
  const json all = json::parse(read_text(list, kMaxListBytes), nullptr, false);
  if (!all.is_object() || !all.contains("train") || !all.contains("test"))
    fail(ErrorCode::kBadInput, "{}: not a list of Real-IAD (no \"train\" and \"test\")", list.string());
  auto text = [](const json& object, const char* key) {
    return object.is_object() && object.contains(key) && object[key].is_string()
               ? object[key].get<std::string>()
               : std::string();
  };
  const json meta = all.value("meta", json::object());
  std::string normal = text(meta, "normal_class");
  if (normal.empty()) normal = "OK";
  for (const auto& [name, role] : {std::pair("train", Role::kTrain), std::pair("test", Role::kTest)}) {
    if (!all[name].is_array()) fail(ErrorCode::kBadInput, "{}: \"{}\" is no array", list.string(), name);
    for (std::size_t i = 0; i < all[name].size(); ++i) {
      const json& entry = all[name][i];
      const std::string image = text(entry, "image_path"), kind = text(entry, "anomaly_class");
      if (image.empty() || kind.empty()) {
        fail(ErrorCode::kBadInput, "{}: \"{}\"[{}] lacks image_path or anomaly_class", list.string(), name,
             i);
      }
      if (role == Role::kTrain && kind != normal) continue;  // the fully unsupervised lists mix them in
      const fs::path path = path_inside(dataset.root, image, list);
      if (!fs::exists(path)) {
        faults.add(path, fmt::format("{}: named in {}, but absent", path.string(), list.string()));
        continue;
      }
      Sample sample = make_sample(dataset, path, role, kind == normal ? kGoodClass : kind);
      if (const std::string mask = text(entry, "mask_path"); kind != normal && !mask.empty()) {
        sample.mask = path_inside(dataset.root, mask, list);
        sample.mask_rule = MaskRule::kNonZero;
        dataset.masks_present = true;
      }
      add(dataset, std::move(sample));
    }
  }
}

void warn_of_missing_masks(Dataset& dataset) {
  if (!dataset.masks_present) return;
  for (const Sample& sample : dataset.test) {
    if (sample.anomalous() && !sample.mask) {
      dataset.warnings.push_back(
          fmt::format("{} has no mask: it counts in image metrics only, not in pixel metrics", sample.id));
    }
  }
}

}  // namespace

void FaultSink::add(const fs::path& path, const std::string& sentence) {
  if (handling_ == FaultHandling::kRefuse) throw Error(ErrorCode::kBadInput, sentence);
  const std::lock_guard lock(mutex_);
  dataset_.faults.push_back({relative_id(path, dataset_.root), sentence});
}

std::string relative_id(const fs::path& path, const fs::path& root) {
  return fs::relative(path, root).generic_string();
}

std::string folder_name(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return whole.has_filename() ? whole.filename().string() : whole.parent_path().filename().string();
}

DatasetLayout recognise_layout(const fs::path& root) {
  if (fs::is_directory(root / "Data" / "Images" / "Normal")) return DatasetLayout::kVisa;
  if (fs::is_directory(root / "test_public")) return DatasetLayout::kMvtecAd2;
  if (fs::is_directory(root / "train" / "ok") && !fs::is_directory(root / "train" / kGoodClass))
    return DatasetLayout::kBtad;
  if (fs::is_directory(root / "train") || fs::is_directory(root / "test")) return DatasetLayout::kMvtec;
  if (fs::is_directory(root / "OK") && (fs::is_directory(root / "NG") || !real_iad_list(root).empty()))
    return DatasetLayout::kRealIad;
  return DatasetLayout::kFlat;
}

void list_samples(Dataset& dataset, FaultSink& faults) {
  dataset.layout = recognise_layout(dataset.root);
  switch (dataset.layout) {
    case DatasetLayout::kFlat:
      add_folder(dataset, dataset.root, Role::kTrain, kGoodClass);
      return;
    case DatasetLayout::kMvtec:
      list_mvtec(dataset, faults);
      break;
    case DatasetLayout::kMvtecAd2:
      list_mvtec_ad_2(dataset, faults);
      break;
    case DatasetLayout::kBtad:
      list_btad(dataset, faults);
      break;
    case DatasetLayout::kVisa:
      list_visa(dataset, faults);
      break;
    case DatasetLayout::kRealIad:
      list_real_iad(dataset, faults);
      break;
  }
  warn_of_missing_masks(dataset);
}

}  // namespace glint
