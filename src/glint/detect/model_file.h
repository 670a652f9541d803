// The model file: one safetensors file that holds everything a verdict needs, and everything that explains
// it. docs/model-file.md documents the format. Loaded defensively: files may come from strangers.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "glint/detect/detector.h"
#include "glint/detect/input.h"
#include "glint/detect/packed_scores.h"
#include "glint/detect/parity_capsule.h"
#include "glint/detect/photograph_sizes.h"
#include "glint/detect/scoring.h"
#include "glint/detect/view.h"
#include "glint/nn/activation_ranges.h"
#include "glint/nn/precision.h"
#include "glint/nn/safetensors.h"

namespace glint {

/// Version 2 must have a checksum. Version 1, before it, is read too.
inline constexpr int kModelSchemaVersion = 2, kOldestModelSchema = 1;

struct Model {
  std::string file = "the new model";  ///< as messages name it
  std::string method;
  BackboneIdentity backbone;
  TensorDict backbone_weights;  ///< folded; empty when the file was written without them
  TensorDict method_weights;
  TensorDict calibration_patches;  ///< as pack_scores makes them
  InputOptions input;
  std::optional<Registration> registration;  ///< present when input.align is rigid
  ScoringOptions scoring;
  /// In which the calibration scores were computed, and so in which parts must be; absent in old files.
  std::optional<Precision> precision;
  Engine engine = Engine::kTorch;              ///< likewise; old files were made by libtorch
  ActivationRanges activation_ranges;          ///< of the backbone, for int8; empty otherwise
  std::optional<ParityCapsule> capsule;        ///< absent in old files
  std::optional<PhotographSizes> photographs;  ///< absent in old files
  TrainingRecord training;
  /// Configuration, decision, calibration, dataset, versions: see docs/model-file.md.
  nlohmann::json record;
};

/// Everything that the file's metadata says, with the fields above.
nlohmann::json full_record(const Model& model);

/// Error(kBadInput) when the record holds text that is not UTF-8.
SafetensorsFile model_to_file(const Model& model);
/// Error(kBadInput) naming `name` and the missing or wrong part: another checksum, numbers that are not
/// finite, impossible shapes, a record that lacks something.
Model model_from_file(const SafetensorsFile& file, const std::string& name);
Model load_model(const std::filesystem::path& path);
void save_model(const Model& model, const std::filesystem::path& path);

/// A model ready to score. Const methods may run from several threads.
class Inspector {
 public:
  /// `precision` auto: the one that the model was calibrated in (on a CPU without bfloat16 in hardware too,
  /// where it is computed in software), or what suits this machine when an old file does not record it.
  Inspector(const Model& model, DeviceChoice device, Precision precision, const std::string& name);

  /// Raw patch scores of photographs of any size, each merged from its views. A part that cannot be aligned
  /// is scored in its best pose, and its placement says so.
  std::vector<PhotographScores> patch_scores(const std::vector<RgbImage>& photographs) const;
  const ViewMaker& views() const { return views_; }
  const Detector& detector() const { return *detector_; }
  Precision precision() const { return precision_; }  ///< never auto
  /// Empty, or a sentence: scores are computed by another engine or in another precision than those that set
  /// the threshold.
  const std::string& deviation() const { return deviation_; }

 private:
  std::unique_ptr<Detector> open(const Model& model, DeviceChoice device, const std::string& name);

  ViewMaker views_;
  Precision precision_;
  std::string deviation_;
  std::unique_ptr<Method> method_;
  std::unique_ptr<Detector> detector_;
};

/// Scores of all views of one photograph, or of several, merged into one each.
std::vector<PhotographScores> score_views(const Detector& detector, const ViewMaker& views,
                                          const std::vector<const Views*>& photographs);

/// The calibration images' raw patch scores.
std::vector<PatchScores> calibration_scores(const Model& model);

}  // namespace glint
