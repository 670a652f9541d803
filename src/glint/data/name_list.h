// Lists of images in a text file, one per line (proposal.txt of an audit, --exclude). docs/names.md tells
// users.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace glint {

/// An id as a line of such a list: name_line of its bytes, and \xHH also for what a reader would take for
/// something else: a '#' that would start a comment, spaces at the ends. read_name_list gives the bytes back.
std::string list_line(std::string_view id);

/// What a line may name.
struct ListedName {
  int line = 0;      ///< its number in the file, from 1
  std::string text;  ///< the line without its end
  /// Bytes of names, the likeliest first: the whole line; without the spaces at its ends; without a comment
  /// (from a '#' at the start or after white space); each of them with \xHH undone, then as it stands, then
  /// without a leading "./".
  std::vector<std::string> candidates;
  bool may_be_comment = false;  ///< starts with '#' and names nothing unless a candidate is known
};

/// The lines that are not empty. A byte order mark and CRLF are passed over.
std::vector<ListedName> read_name_list(const std::filesystem::path& file);

}  // namespace glint
