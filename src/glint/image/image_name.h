// Which files and folders a scan takes for photographs, by name: the one list for everything that reads
// folders.
#pragma once

#include <filesystem>

namespace glint {

/// True for what other programs leave in folders of images: hidden names (.ipynb_checkpoints, .DS_Store,
/// ._photo.png), and the well-known ones without a dot (@eaDir, __MACOSX, Thumbs.db, $RECYCLE.BIN, ...).
/// Looks at the last component of the path only. Such files are never photographs, such folders never
/// classes.
bool is_foreign_name(const std::filesystem::path& path);

/// True for a file that shows a picture in a format that is not read here (webp, gif, heic, jp2, raw, ...) or
/// under a name that does not say so (a PNG called photo.png.bak): by its ending, else by its first bytes.
/// False for the files that is_image_file accepts and for those that cannot be opened.
bool is_unread_image(const std::filesystem::path& path);

}  // namespace glint
