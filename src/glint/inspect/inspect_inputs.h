// What the arguments of `glint inspect` stand for: each photograph once, and everything that is named but
// gets no verdict, so that nothing is left out without a word. Names are taken as they are.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace glint {

struct InspectInput {
  std::filesystem::path path;
  std::string refusal;  ///< why it cannot be read; empty for what may be a photograph
};

struct InspectInputs {
  std::vector<InspectInput> inputs;  ///< in the arguments' order; within a folder by name
  std::vector<std::string> notices;  ///< what lies in a folder and is not read; what was named twice
};

/// Folders are read without their sub-folders. Never throws for what an argument names: an absent file, an
/// empty or unreadable folder, and a broken link with the name of an image become inputs with a refusal.
InspectInputs collect_inputs(const std::vector<std::filesystem::path>& arguments);

}  // namespace glint
