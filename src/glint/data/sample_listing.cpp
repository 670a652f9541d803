#include "glint/data/sample_listing.h"

#include <algorithm>
#include <map>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/image/image_name.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr std::size_t kNoticedFolders = 20;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return c < 0x80 ? static_cast<char>(std::tolower(c)) : static_cast<char>(c);
  });
  return text;
}

/// Folders inside a class that hold something else than photographs: masks (MVTec 3D keeps them there),
/// depth.
bool holds_no_photographs(const fs::path& folder) {
  static const std::set<std::string> kNames = {"gt",           "mask",        "masks", "ground_truth",
                                               "ground truth", "groundtruth", "label", "labels",
                                               "annotations",  "xyz",         "depth", "heightmaps"};
  return kNames.contains(lower(folder.native()));
}

/// Length of `path`, in components, up to the folder that holds no photographs; 0 when there is none.
std::ptrdiff_t depth_of_other_folder(const fs::path& path) {
  const auto found = std::find_if(path.begin(), path.end(), holds_no_photographs);
  return found == path.end() ? 0 : std::distance(path.begin(), found) + 1;
}

fs::path first_components(const fs::path& path, std::ptrdiff_t count) {
  fs::path out;
  for (const fs::path& part : path) {
    if (count-- > 0) out /= part;
  }
  return out;
}

/// A class that people take for good parts; only the layout's own spelling means it.
bool means_good(const std::string& name) {
  const std::string small = lower(name);
  return small == kGoodClass || small == "ok" || small == "normal";
}

std::string why_left_out(DatasetLayout layout, const fs::path& folder) {
  const std::string first = folder.empty() ? "" : folder.begin()->native();
  const bool direct = std::distance(folder.begin(), folder.end()) == 1;
  if (depth_of_other_folder(folder) > 1)
    return "its name says masks or depth; masks belong into ground_truth/CLASS";
  if (layout == DatasetLayout::kVisa || layout == DatasetLayout::kRealIad) return "not named in the list";
  if (layout == DatasetLayout::kKolektor || layout == DatasetLayout::kKolektor2)
    return "neither a photograph of the layout nor its label image";
  if (layout == DatasetLayout::kFlat) return "a dataset without train and test is one folder of good images";
  if (layout == DatasetLayout::kMvtecAd2 && first.starts_with("test_private")) return "it has no labels";
  if (folder.empty()) return "they lie beside the folders of the dataset";
  if (first == "train") {
    return layout == DatasetLayout::kBtad ? "only train/ok is trained on" : "only train/good is trained on";
  }
  if (first == "calibration" || first == "validation")
    return "only the folder calibration/good calibrates, or validation/good where there is none";
  if (first.starts_with("test") && direct) return "a test image lies in the folder of its class, test/CLASS";
  if (first.starts_with("ground")) return "a mask lies in the folder of its class, ground_truth/CLASS";
  return fmt::format("the layout {} has no such folder", enum_name(layout));
}

}  // namespace

void SampleListing::account_for(const fs::path& path) {
  accounted_.insert(path_in(root(), path));
}
bool SampleListing::accounted_for(const fs::path& path) const {
  return accounted_.contains(path_in(root(), path));
}

void SampleListing::add(Sample sample) {
  account_for(sample.path);
  if (sample.mask) account_for(*sample.mask);
  sample.id = relative_id(sample.path, root());
  sample.category = dataset_.categories[0];
  auto& part = sample.role == Role::kTrain         ? dataset_.train
               : sample.role == Role::kCalibration ? dataset_.calibration
                                                   : dataset_.test;
  part.push_back(std::move(sample));
}

void SampleListing::add_broken(const ImageTree& tree) {
  for (const BrokenEntry& entry : tree.broken) {
    account_for(entry.path);
    faults_.add(entry.path, entry.sentence);
  }
}

int SampleListing::add_class(const fs::path& folder, Role role, const std::string& label, Below below) {
  std::error_code ec;
  if (!fs::exists(folder, ec) && !ec) return 0;
  const ImageTree tree = list_images(folder, below);
  add_broken(tree);
  std::map<fs::path, int> inner;
  int taken = 0;
  for (const fs::path& path : tree.images) {
    const fs::path place = path_in(folder, path);
    if (depth_of_other_folder(place.parent_path()) > 0) continue;
    if (place.has_parent_path()) ++inner[place.parent_path()];
    if (role == Role::kTest) {
      placed_.push_back({dataset_.test.size(), folder.filename(), fs::path(place).replace_extension()});
    }
    Sample sample;
    sample.path = path;
    sample.role = role;
    sample.label = label;
    add(std::move(sample));
    ++taken;
  }
  const std::string name = name_line(path_in(root(), folder));
  if (taken == 0) notice(fmt::format("{}: no image in it that can be read", name));
  if (inner.empty()) return taken;
  std::string named;
  std::size_t count = 0;
  for (const auto& [path, images] : inner) {
    if (count++ < kNamedFolders)
      named += fmt::format("{}{} ({})", named.empty() ? "" : ", ", name_line(path), images);
  }
  if (count > kNamedFolders) named += fmt::format(" and {} more folders", count - kNamedFolders);
  notice(fmt::format("{}: images in folders inside it belong to it too: {}", name, named));
  return taken;
}

void SampleListing::add_test_classes(const fs::path& folder, const std::string& good,
                                     const std::set<std::string>& but) {
  const ImageTree direct = list_images(folder, Below::kLeaveOut);
  add_broken(direct);
  if (direct.folders.empty()) return;
  std::map<std::string, fs::path> spelled;
  for (const fs::path& inner : list_folders(folder)) {
    const std::string name = inner.filename().native();
    if (but.contains(name) || is_foreign_name(inner)) continue;
    if (name != good && means_good(name)) {
      account_for(inner);
      faults_.add(inner, fmt::format("{}: would count as a defect class; call the folder of good parts '{}'",
                                     name_line(inner), good));
      continue;
    }
    const auto [other, fresh] = spelled.emplace(lower(name), inner);
    if (!fresh) {
      notice(fmt::format("{} and {} differ only in capital letters and count as two classes",
                         name_line(path_in(root(), other->second)), name_line(path_in(root(), inner))));
    }
    add_class(inner, Role::kTest, name == good ? kGoodClass : name_text(name));
  }
}

void SampleListing::add_listed(const fs::path& image, Role role, const std::string& label,
                               const std::optional<fs::path>& mask) {
  if (accounted_for(image)) {
    faults_.add(image, fmt::format("{}: the list names it twice; keep one of the rows", name_line(image)));
    return;
  }
  Sample sample;
  sample.path = image;
  sample.role = role;
  sample.label = label;
  sample.mask = mask;
  sample.mask_rule = MaskRule::kNonZero;
  dataset_.masks_present = dataset_.masks_present || mask.has_value();
  add(std::move(sample));
}

void SampleListing::notice_left_out(const ImageTree& tree) {
  std::map<fs::path, std::vector<fs::path>> folders;
  for (const fs::path& path : tree.images) {
    if (accounted_for(path)) continue;
    const fs::path folder = path_in(root(), path).parent_path();
    const bool in_refused_class = accounted_.contains(first_components(folder, 2));
    if (in_refused_class && !folder.empty()) continue;
    const std::ptrdiff_t other = depth_of_other_folder(folder);
    folders[first_components(folder, std::max<std::ptrdiff_t>(2, other))].push_back(path);
  }
  std::size_t count = 0;
  for (const auto& [folder, images] : folders) {
    if (count++ >= kNoticedFolders) continue;
    notice(fmt::format("{}: {} left out: {}",
                       folder.empty() ? first_and_count(images, root()) : name_line(folder),
                       images.size() == 1 ? "1 image is" : fmt::format("{} images are", images.size()),
                       why_left_out(dataset_.layout, folder)));
  }
  if (count > kNoticedFolders)
    notice(fmt::format("{} more folders with images are left out", count - kNoticedFolders));
}

void SampleListing::notice_missing_masks() {
  if (!dataset_.masks_present) return;
  for (const Sample& sample : dataset_.test) {
    if (sample.anomalous() && !sample.mask)
      notice(fmt::format("{} has no mask: it counts in image metrics only, not in pixel metrics", sample.id));
  }
}

void SampleListing::finish() {
  const ImageTree tree = list_images(root());
  notice_left_out(tree);
  for (std::string& sentence : left_out_notices(tree, root())) notice(std::move(sentence));
  for (const BrokenEntry& entry : tree.broken) {
    if (!accounted_for(entry.path)) notice("left out: " + entry.sentence);
  }
  notice_missing_masks();
}

}  // namespace glint
