#include "glint/inspect/open_detector.h"

#include "glint/base/names.h"

namespace glint {

OpenedDetector open_detector(const SafetensorsFile& file, const std::string& name,
                             const OpenOptions& options) {
  Model model = model_from_file(file, name);
  Decision decision = make_decision(model);
  if (options.any_size) decision.photographs.reset();
  Inspector inspector(model, options.device, options.precision, name);
  std::vector<std::string> notices;
  if (!inspector.deviation().empty()) notices.push_back(inspector.deviation());
  return {std::move(model), std::move(decision), std::move(inspector), std::move(notices)};
}

OpenedDetector open_detector(const std::filesystem::path& path, const OpenOptions& options) {
  return open_detector(read_safetensors(path), name_line(path), options);
}

}  // namespace glint
