// What lies in a folder and below it, as far as a scan of photographs is concerned. Nothing is left out of
// this list without a word: a scan says of each entry what becomes of it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace glint {

/// A notice names so many folders and counts the rest.
inline constexpr std::size_t kNamedFolders = 3;

/// An entry that cannot be used: a link to nothing, a device, a folder that cannot be listed.
struct BrokenEntry {
  std::filesystem::path path;
  std::string sentence;  ///< names it; what is wrong and the way out
};

/// A file or folder of another program (is_foreign_name), and how many pictures it holds.
struct ForeignEntry {
  std::filesystem::path path;
  int pictures = 0;
};

struct ImageTree {
  std::vector<std::filesystem::path> images;   ///< of the kinds that glint reads
  std::vector<std::filesystem::path> unread;   ///< pictures of other kinds (is_unread_image)
  std::vector<std::filesystem::path> folders;  ///< that were listed, the first one included
  std::vector<ForeignEntry> foreign;           ///< only those that hold pictures
  std::vector<BrokenEntry> broken;
};

enum class Below { kInclude, kLeaveOut };  ///< the folders inside the folder

/// Lists `folder`, by name; what is in a folder comes before what is in the folders inside it. Links are
/// followed, but not into a folder that they lie in; paths are those in the folder, never a link's target. A
/// folder that is absent is empty. Nothing is thrown for what is in it.
ImageTree list_images(const std::filesystem::path& folder, Below below = Below::kInclude);

/// `path` relative to `root`, by their names alone: links are not resolved.
std::filesystem::path path_in(const std::filesystem::path& root, const std::filesystem::path& path);

/// "a.png", "a.png and 2 more": names relative to `root`, as name_line writes them.
std::string first_and_count(const std::vector<std::filesystem::path>& paths,
                            const std::filesystem::path& root);

/// Notices of the pictures that are not read because of their kind, and of those of other programs. Empty
/// when there are none.
std::vector<std::string> left_out_notices(const ImageTree& tree, const std::filesystem::path& root);

}  // namespace glint
