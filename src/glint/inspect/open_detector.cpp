#include "glint/inspect/open_detector.h"

#include "glint/base/error.h"
#include "glint/base/names.h"

namespace glint {
namespace {

/// Error(kBadInput) when the model does not compute here what it computed where it was trained.
void check_parity(const Model& model, const Inspector& inspector, const std::string& name) {
  if (!model.capsule) return;
  const Precision recorded = model.precision.value_or(Precision::kFloat32);
  const double tolerance = capsule_tolerance(recorded, inspector.precision()),
               difference =
                   capsule_difference(*model.capsule, inspector.detector(), calibration_scores(model));
  if (difference <= tolerance) return;
  fail(ErrorCode::kBadInput,
       "{}: scores of its own test input differ by {:.3g} of the good parts' spread from those recorded at "
       "training, {:.3g} is allowed: the file was changed, or this machine computes it wrongly. Take the "
       "original file, or train it again here",
       name, difference, tolerance);
}

}  // namespace

OpenedDetector open_detector(const SafetensorsFile& file, const std::string& name,
                             const OpenOptions& options) {
  Model model = model_from_file(file, name);
  Decision decision = make_decision(model);
  if (options.any_size) decision.photographs.reset();
  Inspector inspector(model, options.device, options.precision, name);
  check_parity(model, inspector, name);
  std::vector<std::string> notices;
  if (!inspector.deviation().empty()) notices.push_back(inspector.deviation());
  return {std::move(model), std::move(decision), std::move(inspector), std::move(notices)};
}

OpenedDetector open_detector(const std::filesystem::path& path, const OpenOptions& options) {
  return open_detector(read_safetensors(path), name_line(path), options);
}

}  // namespace glint
