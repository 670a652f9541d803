// How the readers of layouts fill a dataset: samples, masks, faults and notices. It keeps account of every
// picture below the root, so that finish() can name what no reader took.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "glint/data/dataset.h"
#include "glint/data/image_tree.h"
#include "glint/data/layout.h"

namespace glint {

class SampleListing {
 public:
  SampleListing(Dataset& dataset, FaultSink& faults) : dataset_(dataset), faults_(faults) {}

  const std::filesystem::path& root() const { return dataset_.root; }
  FaultSink& faults() { return faults_; }
  void notice(std::string sentence) { dataset_.warnings.push_back(std::move(sentence)); }

  /// The images in `folder`, and in folders inside it, as one class. Folders of masks and depth images inside
  /// it are left out (finish() names them). Test images are found again by pair_masks. Returns how many
  /// images were taken; a folder that is absent has none.
  int add_class(const std::filesystem::path& folder, Role role, const std::string& label,
                Below below = Below::kInclude);

  /// add_class of every folder in `folder`, in the role of test; the folder's name is the label, `good` is
  /// the name that means good. A fault: a name that means good to people and not to the layout ("Good",
  /// "ok").
  void add_test_classes(const std::filesystem::path& folder, const std::string& good,
                        const std::set<std::string>& but = {});

  /// One image that a list names. A fault when it was named before.
  void add_listed(const std::filesystem::path& image, Role role, const std::string& label,
                  const std::optional<std::filesystem::path>& mask);

  /// Masks in `ground_truth`/CLASS: named like their image or with "_mask" behind it, in the same folder
  /// inside the class or directly in it; or, as in MVTec LOCO, several in a folder named like the image.
  void pair_masks(const std::filesystem::path& ground_truth);

  /// A file that the layout uses otherwise, or that a fault names: finish() says nothing of it.
  void account_for(const std::filesystem::path& path);

  /// Notices of all that was left out, and of anomalous images without a mask where others have one.
  void finish();

 private:
  struct Placed {
    std::size_t test_index;
    std::filesystem::path class_folder;  ///< its name
    std::filesystem::path place;         ///< path inside the class's folder, without ending
  };
  void add(Sample sample);
  void add_broken(const ImageTree& tree);
  bool accounted_for(const std::filesystem::path& path) const;
  void notice_left_out(const ImageTree& tree);
  void notice_missing_masks();

  Dataset& dataset_;
  FaultSink& faults_;
  std::vector<Placed> placed_;
  std::set<std::filesystem::path> accounted_;  ///< relative to the root
};

}  // namespace glint
