// Moves listed training images out of a dataset, and back. Only on request; a proposal alone changes nothing.
#pragma once

#include <filesystem>

#include "glint/data/dataset.h"

namespace glint {

/// The list inside the quarantine folder (data/name_list.h).
inline constexpr const char* kProposalFile = "proposal.txt";

struct QuarantineResult {
  int moved = 0;
  std::filesystem::path undo_file;
};

/// Moves the images that `folder`/proposal.txt names to `folder`/<id>. A link is moved as it is, its target
/// stays. The undo file is written first, so that an interruption can be undone. Error(kBadInput) when the
/// list is absent or names no training image, when something is in the way, or when `folder` is one that the
/// dataset's images are read from; nothing is moved then.
QuarantineResult apply_quarantine(const Dataset& dataset, const std::filesystem::path& folder);

/// Moves the images (or links) back that the undo file lists and that are still in quarantine, and removes
/// the file. Error(kBadInput) names the first image whose place is taken; nothing is moved then.
int undo_quarantine(const std::filesystem::path& undo_file);

}  // namespace glint
