// File names of the pictures that inspect and evaluate write, one per photograph: short where that is enough,
// never two photographs in one file, never outside of the folder.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "glint/data/dataset.h"

namespace glint {

/// Relative names for the overlays of different photographs: NAME.jpg for NAME.png; with the photograph's own
/// sub-folders where two would be equal, then with its whole file name (NAME.png.jpg), then with a number.
std::vector<std::filesystem::path> overlay_names(const std::vector<std::filesystem::path>& photographs);

/// Relative names LABEL/NAME.jpg for maps of a test set, made different in the same way.
std::vector<std::filesystem::path> map_names(const std::vector<const Sample*>& samples);

/// Error(kBadInput) when a picture of `folder` would replace one of the photographs.
void check_pictures(const std::filesystem::path& folder, const std::vector<std::filesystem::path>& pictures,
                    const std::vector<std::filesystem::path>& photographs);

}  // namespace glint
