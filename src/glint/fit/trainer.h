// One training of a method on some of the prepared photographs: what its needs ask for is given here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glint/base/progress.h"
#include "glint/data/dataset.h"
#include "glint/detect/view.h"
#include "glint/fit/config.h"
#include "glint/synth/texture_source.h"

namespace glint {

/// Indices of photographs.
struct TrainingParts {
  std::vector<int> train, normalisation;
};

/// `which` of `n` photographs, divided as the method's normalisation_share asks. Error(kBadInput) when a
/// share is asked of fewer than two.
TrainingParts training_parts(const Method& method, const std::vector<int>& which, int n, std::uint64_t seed);

/// Sets input.textures and input.defective where the needs ask for them; the other fields are set before.
/// `key_of` names an image whatever its place in `input`. `textures` may be nullptr where no need uses them.
void give_textures(FitInput& input, const MethodNeeds& needs,
                   const std::shared_ptr<const TextureSource>& textures,
                   const std::function<std::uint64_t(int image)>& key_of);

class Trainer {
 public:
  /// `backbone_sha256`: of what `features` computes with. `photographs`: of `samples`, prepared. `pool`:
  /// ascending indices of those whose features are kept for all trainings. `textures`: of the input's size,
  /// nullptr where the method uses none. The references must stay.
  Trainer(const TrainConfig& config, const FeatureExtractor& features, std::string backbone_sha256,
          const ViewMaker& maker, const std::vector<Views>& photographs, const std::vector<Sample>& samples,
          std::vector<int> pool, std::shared_ptr<const TextureSource> textures, FeatureLibrary& library,
          ProgressSink& progress);

  FitResult train(const TrainingParts& parts, std::vector<RgbImage> held_out, std::uint64_t seed,
                  std::optional<TrainingState> resume,
                  std::function<void(const TrainingState&)> on_meta_epoch) const;

 private:
  std::string images_key(const std::vector<int>& which, std::uint64_t seed) const;

  const TrainConfig& config_;
  const FeatureExtractor& features_;
  std::string backbone_sha256_;
  const ViewMaker& maker_;
  const std::vector<Views>& photographs_;
  const std::vector<Sample>& samples_;
  std::vector<int> pool_;
  std::shared_ptr<const TextureSource> textures_;
  FeatureLibrary& library_;
  ProgressSink& progress_;
};

}  // namespace glint
