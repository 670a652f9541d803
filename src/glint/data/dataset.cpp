#include "glint/data/dataset.h"

#include <algorithm>
#include <map>
#include <set>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/parallel.h"
#include "glint/image/codec.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

std::string relative_id(const fs::path& path, const fs::path& root) {
  return fs::relative(path, root).generic_string();
}

std::string category_of(const fs::path& root) {
  const fs::path whole = fs::absolute(root).lexically_normal();
  return whole.has_filename() ? whole.filename().string() : whole.parent_path().filename().string();
}

std::vector<Sample> samples_in(const fs::path& folder, const fs::path& root, Role role,
                               const std::string& label) {
  std::vector<Sample> out;
  for (const fs::path& path : list_files(folder, is_image_file)) {
    Sample sample;
    sample.path = path;
    sample.id = relative_id(path, root);
    sample.role = role;
    sample.label = label;
    sample.category = category_of(root);
    out.push_back(std::move(sample));
  }
  return out;
}

/// Hash and decode every sample (masks too), so that a bad file is found before hours of work, not after.
void inspect_files(std::vector<Sample*>& samples, ProgressSink& progress) {
  progress.begin("checking images", static_cast<std::int64_t>(samples.size()));
  parallel_for(static_cast<std::int64_t>(samples.size()), [&](std::int64_t i) {
    throw_if_cancelled();
    Sample& sample = *samples[i];
    const Bytes bytes = read_file(sample.path, std::uint64_t{1} << 30);
    sample.sha256 = sha256_hex(bytes);
    const RgbImage image = decode_image(bytes, sample.path.string());
    sample.width = image.width;
    sample.height = image.height;
    if (sample.mask) {
      const Mask mask = read_mask(*sample.mask);
      if (mask.width != image.width || mask.height != image.height) {
        fail(ErrorCode::kBadInput,
             "{}: the mask is {}x{} but its image {} is {}x{}; export the mask at the image's size",
             sample.mask->string(), mask.width, mask.height, sample.path.string(), image.width, image.height);
      }
    }
    progress.advance(i + 1, "");
  });
  progress.end();
}

void pair_masks(Dataset& dataset, const fs::path& ground_truth) {
  std::set<fs::path> used;
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
        fail(ErrorCode::kBadInput, "{}: a mask without its image test/{}/{}.*; remove it or add the image",
             mask.string(), label, stem);
      }
      if (found->second->mask) {
        fail(ErrorCode::kBadInput, "{}: a second mask for {}; keep one of them", mask.string(),
             found->second->id);
      }
      found->second->mask = mask;
      dataset.masks_present = true;
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

void check_leakage(Dataset& dataset, bool allow) {
  std::map<std::string, const Sample*> known;
  for (const auto* part : {&dataset.train, &dataset.calibration}) {
    for (const Sample& sample : *part) known.emplace(sample.sha256, &sample);
  }
  for (const Sample& sample : dataset.test) {
    const auto found = known.find(sample.sha256);
    if (found == known.end()) continue;
    if (!allow) {
      fail(ErrorCode::kBadInput,
           "{} and {} are the same file: a test image must not be trained on or calibrated with; remove one "
           "of them "
           "(--allow-leakage for experiments)",
           found->second->id, sample.id);
    }
    dataset.leaked.push_back(found->second->id + " = " + sample.id);
  }
}

}  // namespace

std::string Dataset::fingerprint() const {
  std::string text;
  for (const auto* part : {&train, &calibration, &test}) {
    for (const Sample& sample : *part) text += sample.id + ' ' + sample.sha256 + '\n';
  }
  return sha256_hex(std::as_bytes(std::span(text.data(), text.size())));
}

Dataset scan_dataset(const fs::path& root, const DatasetOptions& options, ProgressSink& progress) {
  if (!fs::is_directory(root)) fail(ErrorCode::kNotFound, "{}: no such folder", root.string());
  Dataset dataset;
  dataset.root = root;
  dataset.categories = {category_of(root)};
  const bool flat = !fs::is_directory(root / "train") && !fs::is_directory(root / "test");
  if (flat) {
    dataset.train = samples_in(root, root, Role::kTrain, kGoodClass);
  } else {
    dataset.train = samples_in(root / "train" / kGoodClass, root, Role::kTrain, kGoodClass);
    dataset.calibration = samples_in(root / "calibration" / kGoodClass, root, Role::kCalibration, kGoodClass);
    for (const fs::path& folder : list_folders(root / "train")) {
      if (folder.filename() == kGoodClass) continue;
      dataset.warnings.push_back(
          fmt::format("{} is ignored: only train/good is trained on", folder.string()));
    }
    for (const fs::path& folder : list_folders(root / "test")) {
      const auto found = samples_in(folder, root, Role::kTest, folder.filename().string());
      dataset.test.insert(dataset.test.end(), found.begin(), found.end());
    }
    for (const char* name : {"ground_truth", "ground truth"}) pair_masks(dataset, root / name);
    warn_of_missing_masks(dataset);
  }
  if (dataset.train.empty() && dataset.test.empty()) {
    fail(ErrorCode::kBadInput, "{}: no image found; put good parts into train/good (PNG, JPEG, BMP or TIFF)",
         root.string());
  }
  if (options.use == DatasetUse::kTrain && static_cast<int>(dataset.train.size()) < kLeastGoodImages) {
    fail(ErrorCode::kBadInput, "{}: {} good images, at least {} are needed in train/good", root.string(),
         dataset.train.size(), kLeastGoodImages);
  }
  if (options.use == DatasetUse::kEvaluate && dataset.test.empty()) {
    fail(ErrorCode::kBadInput, "{}: no test images; put them into test/good and test/<defect class>",
         root.string());
  }
  std::vector<Sample*> all;
  for (auto* part : {&dataset.train, &dataset.calibration, &dataset.test}) {
    for (Sample& sample : *part) all.push_back(&sample);
  }
  inspect_files(all, progress);
  check_leakage(dataset, options.allow_leakage);
  return dataset;
}

Dataset scan_datasets(const std::vector<fs::path>& roots, const DatasetOptions& options,
                      ProgressSink& progress) {
  if (roots.empty()) fail(ErrorCode::kConfig, "give at least one dataset folder");
  if (roots.size() == 1) return scan_dataset(roots[0], options, progress);
  Dataset all;
  all.root = roots[0];
  for (const fs::path& root : roots) {
    Dataset one = scan_dataset(root, options, progress);
    const std::string& name = one.categories[0];
    if (std::find(all.categories.begin(), all.categories.end(), name) != all.categories.end()) {
      fail(ErrorCode::kBadInput, "{}: two datasets are called '{}'; rename one folder", root.string(), name);
    }
    all.categories.push_back(name);
    for (const auto& [to, from] : {std::pair(&all.train, &one.train), std::pair(&all.test, &one.test),
                                   std::pair(&all.calibration, &one.calibration)}) {
      for (Sample& sample : *from) {
        sample.id = name + "/" + sample.id;
        to->push_back(std::move(sample));
      }
    }
    for (const std::string& warning : one.warnings) all.warnings.push_back(name + ": " + warning);
    all.masks_present = all.masks_present || one.masks_present;
  }
  check_leakage(all, options.allow_leakage);  // across categories too
  return all;
}

std::string Dataset::name() const {
  std::string out;
  for (const std::string& category : categories) out += (out.empty() ? "" : "+") + category;
  return out;
}

std::optional<Mask> load_mask(const Sample& sample) {
  if (!sample.anomalous()) return Mask(sample.width, sample.height);
  if (!sample.mask) return std::nullopt;
  return read_mask(*sample.mask);
}

}  // namespace glint
