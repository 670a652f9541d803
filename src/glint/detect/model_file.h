// The model file: one safetensors file that holds everything a verdict needs, and everything that explains
// it. docs/model-file.md documents the format. Loaded defensively: files may come from strangers.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "glint/detect/detector.h"
#include "glint/detect/input.h"
#include "glint/detect/scoring.h"
#include "glint/nn/safetensors.h"

namespace glint {

inline constexpr int kModelSchemaVersion = 1;

struct Model {
  std::string method;
  BackboneIdentity backbone;
  TensorDict backbone_weights;  ///< folded; empty when the file was written without them
  TensorDict method_weights;
  TensorDict calibration_patches;  ///< "patch_scores", "decision_scores" [n, h, w]
  InputOptions input;
  ScoringOptions scoring;
  /// Configuration, decision, calibration, dataset, training record, versions: see docs/model-file.md.
  nlohmann::json record;
};

SafetensorsFile model_to_file(const Model& model);
/// Error(kBadInput) naming `name` and the missing or wrong part.
Model model_from_file(const SafetensorsFile& file, const std::string& name);
Model load_model(const std::filesystem::path& path);
void save_model(const Model& model, const std::filesystem::path& path);

/// A model ready to score. Const methods may run from several threads.
class Inspector {
 public:
  Inspector(const Model& model, const torch::Device& device, Precision precision, const std::string& name);

  /// Raw patch scores of photographs of any size.
  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& photographs) const;
  const InputOptions& input() const { return input_; }

 private:
  InputOptions input_;
  std::unique_ptr<Method> method_;
  std::unique_ptr<Detector> detector_;
};

/// The calibration images' raw patch scores.
std::vector<PatchScores> calibration_scores(const Model& model);
TensorDict pack_calibration(const std::vector<PatchScores>& scores);

}  // namespace glint
