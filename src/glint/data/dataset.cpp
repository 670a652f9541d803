#include "glint/data/dataset.h"

#include <algorithm>
#include <map>
#include <set>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/base/parallel.h"
#include "glint/data/layout.h"
#include "glint/data/loco_layout.h"
#include "glint/data/mask_notices.h"
#include "glint/data/name_list.h"
#include "glint/data/sample_mask.h"
#include "glint/data/split_lock.h"
#include "glint/image/codec.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

/// `orientation`: how the photograph was turned.
void inspect_mask(Sample& sample, int orientation, FaultSink& faults, MaskNotices& notices,
                  const fs::path& root) {
  MaskFile file;
  try {
    file = read_sample_mask(sample);
    if (sample.saturations) load_saturated_regions(sample);
  } catch (const Error& e) {
    faults.add(*sample.mask, e.what());
    sample.mask.reset();
    return;
  }
  if (file.mask.width == sample.width && file.mask.height == sample.height)
    return notices.add(sample, file, orientation, root);
  faults.add(
      *sample.mask,
      fmt::format("{}: the mask is {}x{} but its image {} is {}x{}; export the mask at the image's size",
                  name_line(*sample.mask), file.mask.width, file.mask.height, name_line(sample.path),
                  sample.width, sample.height));
  sample.mask.reset();
}

/// Hash and decode every sample (masks too), so that a bad file is found before hours of work, not after.
/// Returns what is to be known of the masks.
std::vector<std::string> inspect_files(const std::vector<Sample*>& samples, const fs::path& root,
                                       FaultSink& faults, ProgressSink& progress) {
  MaskNotices notices;
  progress.begin("checking images", std::ssize(samples));
  parallel_for(std::ssize(samples), [&](std::int64_t i) {
    throw_if_cancelled();
    Sample& sample = *samples[i];
    int orientation = 1;
    try {
      const Bytes bytes = read_file(sample.path, std::uint64_t{1} << 30);
      const ImageFile file = decode_image_file(bytes, name_line(sample.path));
      sample.sha256 = sha256_hex(bytes);
      sample.width = file.image.width;
      sample.height = file.image.height;
      orientation = file.orientation;
    } catch (const Error& e) {
      if (!faults.collects()) throw;
      faults.add(sample.path, e.what());
      return;
    }
    if (sample.mask) inspect_mask(sample, orientation, faults, notices, root);
    progress.advance(i + 1, "");
  });
  progress.end();
  return notices.warnings();
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
           "of them (--allow-leakage for experiments)",
           found->second->id, sample.id);
    }
    dataset.leaked.push_back(found->second->id + " = " + sample.id);
  }
}

/// What the scan left out, behind an error that this may explain.
std::string listed_warnings(const Dataset& dataset) {
  std::string out;
  for (const std::string& warning : dataset.warnings) out += "\n  " + warning;
  return out;
}

void check_counts(const Dataset& dataset, DatasetUse use) {
  if (use == DatasetUse::kTrain && static_cast<int>(dataset.train.size()) < kLeastGoodImages) {
    fail(ErrorCode::kBadInput, "{}: {} good images, at least {} are needed in train/good{}",
         name_line(dataset.root), dataset.train.size(), kLeastGoodImages, listed_warnings(dataset));
  }
  if (use == DatasetUse::kEvaluate && dataset.test.empty()) {
    fail(ErrorCode::kBadInput, "{}: no test images; put them into test/good and test/<defect class>{}",
         name_line(dataset.root), listed_warnings(dataset));
  }
}

void require_lock(const Dataset& dataset) {
  const auto differences = check_lock(dataset);
  if (!differences || differences->empty()) return;
  fail(ErrorCode::kBadInput,
       "{}: the dataset differs from its locked split:\n{}\nrestore the images, or lock the split again: "
       "glint split lock {} --replace",
       name_line(dataset.root / kLockFile), differences->text(), name_line(dataset.root));
}

}  // namespace

std::string Dataset::fingerprint() const {
  std::string text;
  for (const auto* part : {&train, &calibration, &test}) {
    for (const Sample& sample : *part) text += sample.id + ' ' + sample.sha256 + '\n';
  }
  return sha256_hex(text);
}

Dataset scan_dataset(const fs::path& root, const DatasetOptions& options, ProgressSink& progress) {
  std::error_code ec;
  if (!fs::is_directory(root, ec)) fail(ErrorCode::kNotFound, "{}: no such folder", name_line(root));
  Dataset dataset;
  dataset.root = root;
  dataset.categories = {name_text(folder_name(root))};
  FaultSink faults(dataset, options.faults);
  list_samples(dataset, faults);
  if (dataset.train.empty() && dataset.test.empty()) {
    fail(ErrorCode::kBadInput,
         "{}: no image found; put good parts into train/good (PNG, JPEG, BMP or TIFF){}", name_line(root),
         listed_warnings(dataset));
  }
  if (!faults.collects()) check_counts(dataset, options.use);
  std::vector<Sample*> all;
  for (auto* part : {&dataset.train, &dataset.calibration, &dataset.test}) {
    for (Sample& sample : *part) all.push_back(&sample);
  }
  const std::vector<std::string> warnings = inspect_files(all, root, faults, progress);
  dataset.warnings.insert(dataset.warnings.end(), warnings.begin(), warnings.end());
  if (faults.collects()) {
    for (auto* part : {&dataset.train, &dataset.calibration, &dataset.test}) {
      std::erase_if(*part, [](const Sample& sample) { return sample.sha256.empty(); });
    }
    std::sort(dataset.faults.begin(), dataset.faults.end(),
              [](const DatasetFault& a, const DatasetFault& b) { return a.id < b.id; });
  }
  check_leakage(dataset, options.allow_leakage || faults.collects());
  if (options.lock == LockHandling::kRequire) require_lock(dataset);
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
      fail(ErrorCode::kBadInput, "{}: two datasets are called '{}'; rename one folder", name_line(root),
           name);
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

int exclude_samples(Dataset& dataset, const fs::path& file) {
  std::map<std::string, std::string> ids;  // by the name's bytes
  for (const auto* part : {&dataset.train, &dataset.calibration}) {
    for (const Sample& sample : *part) ids.emplace(name_bytes(sample.id), sample.id);
  }
  std::set<std::string> excluded;
  for (const ListedName& listed : read_name_list(file)) {
    const auto known = std::find_if(listed.candidates.begin(), listed.candidates.end(),
                                    [&](const std::string& name) { return ids.contains(name); });
    if (known != listed.candidates.end()) {
      excluded.insert(ids[*known]);
    } else if (!listed.may_be_comment) {
      fail(ErrorCode::kBadInput, "{}: line {}: '{}' is no training or calibration image of {}",
           name_line(file), listed.line, name_line(listed.text), name_line(dataset.root));
    }
  }
  for (auto* part : {&dataset.train, &dataset.calibration}) {
    std::erase_if(*part, [&](const Sample& sample) { return excluded.contains(sample.id); });
  }
  return static_cast<int>(excluded.size());
}

int leave_out_copies(Dataset& dataset) {
  constexpr std::size_t kNamed = 5;
  std::map<std::string, std::string> first;  // hash to id
  for (const Sample& sample : dataset.calibration) first.emplace(sample.sha256, sample.id);
  std::vector<std::string> named;
  const auto copies = std::erase_if(dataset.train, [&](const Sample& sample) {
    const auto [at, is_first] = first.emplace(sample.sha256, sample.id);
    if (!is_first && named.size() < kNamed) named.push_back(sample.id + " = " + at->second);
    return !is_first;
  });
  if (copies == 0) return 0;
  dataset.warnings.push_back(fmt::format("{} training image{} left out, a copy of another good image: {}{}",
                                         copies, copies == 1 ? " is" : "s are", fmt::join(named, ", "),
                                         copies > kNamed ? ", ..." : ""));
  check_counts(dataset, DatasetUse::kTrain);
  return static_cast<int>(copies);
}

std::string Dataset::name() const {
  std::string out;
  for (const std::string& category : categories) out += (out.empty() ? "" : "+") + category;
  return out;
}

std::optional<Mask> load_mask(const Sample& sample) {
  if (!sample.anomalous()) return Mask(sample.width, sample.height);
  if (!sample.mask) return std::nullopt;
  return read_sample_mask(sample).mask;
}

}  // namespace glint
