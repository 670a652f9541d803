// Which mask of ground_truth belongs to which test image.
#include <map>
#include <set>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/data/sample_listing.h"
#include "glint/image/image_name.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr std::string_view kMaskEnding = "_mask";

/// "a/001_mask" as "a/001"; empty when it does not end so.
fs::path without_mask_ending(const fs::path& place) {
  const std::string& text = place.native();
  return text.ends_with(kMaskEnding) ? fs::path(text.substr(0, text.size() - kMaskEnding.size()))
                                     : fs::path();
}

/// Test images of one class by where they lie, and by their name alone.
class ClassImages {
 public:
  void add(const fs::path& place, Sample& sample) {
    by_place_[place].push_back(&sample);
    by_name_[place.filename()].push_back(&sample);
  }
  const std::vector<Sample*>& at(const fs::path& place) const { return find(by_place_, place); }
  const std::vector<Sample*>& named(const fs::path& name) const { return find(by_name_, name); }

 private:
  using Samples = std::map<fs::path, std::vector<Sample*>>;
  static const std::vector<Sample*>& find(const Samples& samples, const fs::path& key) {
    static const std::vector<Sample*> kNone;
    const auto found = key.empty() ? samples.end() : samples.find(key);
    return found == samples.end() ? kNone : found->second;
  }
  Samples by_place_, by_name_;
};

struct Owners {
  std::vector<Sample*> samples;  ///< one when all is well
  bool one_of_several = false;   ///< the mask lies in a folder named like the image
};

/// `masks`: where all masks of the class lie.
Owners owners_of(const fs::path& place, const ClassImages& images, const std::set<fs::path>& masks) {
  const fs::path cut = without_mask_ending(place);
  const auto &same = images.at(place), &shorter = images.at(cut);
  if (!same.empty() && !shorter.empty()) {
    // There are images "a" and "a_mask": what the other image's mask is called decides.
    if (masks.contains(fs::path(place.native() + std::string(kMaskEnding)))) return {shorter};
    if (masks.contains(cut)) return {same};
    Owners both{same};
    both.samples.insert(both.samples.end(), shorter.begin(), shorter.end());
    return both;
  }
  if (!same.empty()) return {same};
  if (!shorter.empty()) return {shorter};
  if (const auto& whole = images.at(place.parent_path()); !whole.empty()) return {whole, true};
  if (const auto& named = images.named(place.filename()); !named.empty()) return {named};
  return {images.named(cut.filename())};
}

}  // namespace

void SampleListing::pair_masks(const fs::path& ground_truth) {
  const ImageTree direct = list_images(ground_truth, Below::kLeaveOut);
  add_broken(direct);
  if (direct.folders.empty()) return;
  for (const fs::path& folder : list_folders(ground_truth)) {
    if (is_foreign_name(folder)) continue;
    ClassImages images;
    for (const Placed& placed : placed_) {
      if (placed.class_folder == folder.filename())
        images.add(placed.place, dataset_.test[placed.test_index]);
    }
    const ImageTree tree = list_images(folder);
    add_broken(tree);
    std::set<fs::path> places;
    for (const fs::path& mask : tree.images) places.insert(path_in(folder, mask).replace_extension());
    std::map<const Sample*, fs::path> folder_of;  // of an image with several masks
    for (const fs::path& mask : tree.images) {
      account_for(mask);
      const fs::path place = path_in(folder, mask).replace_extension();
      const Owners owners = owners_of(place, images, places);
      if (owners.samples.empty()) {
        const fs::path cut = without_mask_ending(place);
        faults_.add(mask, fmt::format("{}: a mask without its image test/{}/{}.*; remove it or add the image",
                                      name_line(mask), name_line(folder.filename()),
                                      name_line(cut.empty() ? place : cut)));
        continue;
      }
      if (owners.samples.size() > 1) {
        faults_.add(mask, fmt::format("{}: the mask of {} or of {}; give the images different names",
                                      name_line(mask), owners.samples[0]->id, owners.samples[1]->id));
        continue;
      }
      Sample& sample = *owners.samples[0];
      const bool goes_on =
          owners.one_of_several && folder_of.contains(&sample) && folder_of[&sample] == mask.parent_path();
      if (sample.mask && !goes_on) {
        faults_.add(mask,
                    fmt::format("{}: a second mask for {}; keep one of them", name_line(mask), sample.id));
        continue;
      }
      if (goes_on) {
        sample.further_masks.push_back(mask);
        continue;
      }
      sample.mask = mask;
      if (owners.one_of_several) {
        folder_of[&sample] = mask.parent_path();
        sample.mask_rule = MaskRule::kNonZero;  // MVTec LOCO numbers the kinds of defects from 255 down
      }
      dataset_.masks_present = true;
    }
  }
}

}  // namespace glint
