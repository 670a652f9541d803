// The contract of a detection method, and the visible list of methods. A method is one folder below this one;
// adding one means that folder and one line in detector.cpp.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "glint/base/progress.h"
#include "glint/detect/input.h"
#include "glint/detect/scoring.h"
#include "glint/image/image.h"
#include "glint/nn/backbone.h"
#include "glint/nn/tensor_dict.h"

namespace glint {

/// The recipes of the study, and `ensemble`: refined, averaged over the last meta-epochs. Each method says
/// what they mean for it (docs/recipes.md).
enum class Recipe { kRefined, kBaseline, kEnsemble };
template <>
struct EnumNames<Recipe> {
  static constexpr std::pair<Recipe, std::string_view> table[] = {
      {Recipe::kRefined, "refined"}, {Recipe::kBaseline, "baseline"}, {Recipe::kEnsemble, "ensemble"}};
};

/// What a recipe fixes outside the method's own options.
struct RecipeDefaults {
  InputOptions input;
  ScoringOptions scoring;
  bool mild_augmentation = false;
};

/// Resumable state after a meta-epoch.
struct TrainingState {
  int meta_epoch = 0;  ///< finished ones
  TensorDict tensors;
  nlohmann::json record;  ///< as FitResult::record so far
  bool usable = true;     ///< the tensors already make a detector; false while only a part of it has trained
};

class FeatureLibrary;

/// All images of which some train: what features are computed and kept for, once for several trainings.
struct FeaturePool {
  int images = 0;
  std::function<RgbImage(int image, int draw)> image;  ///< thread-safe
  /// Equal for equal images, draws, seed and precision: what a library finds features by.
  std::string key;
};

/// What a method trains from. Images are prepared network inputs.
struct FitInput {
  int images = 0;
  int draws = 1;                                       ///< augmentation draws per image
  std::function<RgbImage(int image, int draw)> image;  ///< thread-safe
  std::vector<RgbImage> held_out;                      ///< good parts for diagnostics only
  std::uint64_t seed = 0;
  Precision precision = Precision::kAuto;
  torch::Device device = torch::kCPU;
  std::int64_t cache_bytes = std::int64_t{4} << 30;  ///< features kept in memory; the rest goes to disk
  FeatureLibrary* library = nullptr;  ///< shares features between trainings; nullptr = each computes its own
  FeaturePool pool;                   ///< for the library
  std::vector<int> in_pool;           ///< image i of this training is image in_pool[i] of the pool
  std::optional<TrainingState> resume;
  std::function<void(const TrainingState&)> on_meta_epoch;  ///< after each one; may be empty
  ProgressSink* progress = &silent_progress();
};

struct FitResult {
  TensorDict weights;  ///< of the method's own parts, without the backbone
  /// Goes into model file and report: "series" (one object of numbers per meta-epoch), "curves" (what of it
  /// to draw together: title and keys), "saturated", timings.
  nlohmann::json record;
};

/// What a training will need on disk, in bytes; an estimate before it starts.
struct FitSize {
  std::int64_t weights = 0, state = 0;  ///< of the method's own parts, of a resumable state
  int meta_epochs = 0;
};

/// A trained detector. Const methods may run from several threads.
class Detector {
 public:
  virtual ~Detector() = default;
  /// Raw patch scores of prepared inputs; higher is more anomalous.
  virtual std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const = 0;
};

/// A method with its options, before training.
class Method {
 public:
  virtual ~Method() = default;
  virtual std::string_view name() const = 0;
  virtual void describe(OptionTable& table) = 0;
  /// Sets the options that a recipe and a backbone fix; the user's own settings come after.
  virtual RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec& backbone) = 0;
  /// True when the score of a place rests on what good parts show at that place of the input, so that the
  /// input must show the part as a whole: tiles are refused.
  virtual bool position_bound() const { return false; }
  virtual FitResult fit(const Backbone& backbone, const FitInput& input) const = 0;
  /// For `images` training images (with their draws) of side `input_size`.
  virtual FitSize fit_size(const BackboneSpec& backbone, std::int64_t images, int input_size) const = 0;
  /// The tensors of a training state that load() needs: without what only training does, such as an
  /// optimiser's moments.
  virtual TensorDict weights_of(const TensorDict& state) const = 0;
  /// Error(kBadInput) naming `file` when a tensor is missing, has the wrong shape, or holds what no training
  /// gives (a value that is not finite, a negative variance).
  virtual std::unique_ptr<Detector> load(const Backbone& backbone, const TensorDict& weights,
                                         const std::string& file) const = 0;
};

/// What trains when the user names no method; chosen by the figures in README.md.
inline constexpr const char* kDefaultMethod = "patchcore";
std::vector<std::string> method_names();
/// Error(kConfig) with the nearest name when unknown.
std::unique_ptr<Method> make_method(const std::string& name);

}  // namespace glint
