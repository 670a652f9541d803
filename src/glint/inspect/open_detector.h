// From a model file to something that judges photographs, in one call: what every verb and the station open.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "glint/inspect/decision.h"
#include "glint/nn/runtime.h"

namespace glint {

struct OpenOptions {
  DeviceChoice device = DeviceChoice::kAuto;
  Precision precision = Precision::kAuto;  ///< auto: the one that the threshold was set in
  bool any_size = false;  ///< photographs of another shape than the training photographs get a verdict too
};

struct OpenedDetector {
  Model model;
  Decision decision;
  Inspector inspector;
  /// What to say before the first verdict: a precision that is not the threshold's.
  std::vector<std::string> notices;

  /// As inspect_image.
  InspectionResult inspect(const RgbImage& photograph, const std::string& path,
                           int map_side = kPhotographSide) const {
    return inspect_image(inspector, decision, photograph, path, map_side);
  }
};

/// Error names the file. kBadInput: it is damaged, not a model, of another schema version, or was trained
/// with other weights of the backbone; its threshold does not follow from its calibration scores; its parity
/// capsule's input gets other scores here. kNotFound:
/// it, or a backbone that it does not hold, is absent. kConfig: no CUDA device, or a backbone that its method
/// cannot use.
OpenedDetector open_detector(const std::filesystem::path& path, const OpenOptions& options);
/// The same of a file's content; errors name `name`.
OpenedDetector open_detector(const SafetensorsFile& file, const std::string& name,
                             const OpenOptions& options);

}  // namespace glint
