// The record of a fixed split: which image plays which role, by content. And splits that keep what belongs
// together on one side: by capture time or by group. Nothing here moves an image of the dataset.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "glint/data/dataset.h"

namespace glint {

/// Name of the manifest inside a dataset's folder.
inline constexpr const char* kLockFile = "glint-split.json";

/// Writes `dataset.root / kLockFile`: SHA-256, role and label of every image and the SHA-256 of its mask (of
/// several masks: of their hashes), and
/// `date` (ISO 8601). Error(kBadInput) when a lock exists, unless `replace`. Returns its path.
std::filesystem::path lock_split(const Dataset& dataset, const std::string& date, bool replace);

/// What differs from the lock. Each text names the image: "train/good/3.png moved to test/good/3.png", or
/// "Data/Images/Normal/3.JPG is a test image now; locked as a training image" where a list gives the role.
struct LockDifferences {
  std::vector<std::string> moved;  ///< another place or another role
  std::vector<std::string> added, removed;
  std::vector<std::string> changed;  ///< another class, other content, another mask

  bool empty() const { return moved.empty() && added.empty() && removed.empty() && changed.empty(); }
  /// All of them, one per line, at most `most`.
  std::string text(std::size_t most = 20) const;
};

/// nullopt when the folder holds no lock. An id as an earlier glint wrote it (a link's target, a name with
/// \xHH in it as it stands) is no difference. Error(kBadInput) when the lock file itself is damaged.
std::optional<LockDifferences> check_lock(const Dataset& dataset);

/// Seconds of a date and time in a file name: YYYYMMDDhhmmss or YYMMDDhhmmss, the date and the time possibly
/// apart by one of "_-T". Only differences have a meaning. nullopt when there is none.
std::optional<std::int64_t> capture_time(const std::string& file_name);

/// A new division of a dataset's good images.
struct Resplit {
  std::vector<int> train, test;  ///< indices into `good`, ascending
  std::string rule;              ///< one sentence
};

/// The latest `test_share` of the images test, the earlier ones train; images within `gap_seconds` before the
/// border are left out. Error(kBadInput) names the first image whose file name has no date and time.
Resplit split_by_time(const std::vector<Sample>& good, double test_share, std::int64_t gap_seconds);

/// Whole groups test, drawn with `seed` until `test_share` is reached. The group is what the first capture
/// group of `pattern` (ECMAScript) matches in the id, or the whole match without one. Error(kBadInput) names
/// an image that does not match; Error(kConfig) when there are fewer than two groups.
Resplit split_by_group(const std::vector<Sample>& good, double test_share, const std::string& pattern,
                       std::uint64_t seed);

/// Copies `dataset` to `out` with the new division of its good images (training and test together, in the
/// order of good_images); anomalous test images and masks keep their place. File names stay, with a number
/// appended where two would collide. Error(kBadInput) when `out` exists and is not empty.
void write_resplit(const Dataset& dataset, const Resplit& split, const std::filesystem::path& out);

/// Training images, then good test images: what the splits above divide.
std::vector<Sample> good_images(const Dataset& dataset);

}  // namespace glint
