// The contract of a detection method, and the visible list of methods. A method is one folder below this one;
// adding one means that folder and one line in detector.cpp. Free of libtorch: features come through a
// FeatureExtractor, weights are host tensors; a method may compute with libtorch in its own files.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glint/base/progress.h"
#include "glint/detect/input.h"
#include "glint/detect/scoring.h"
#include "glint/detect/training_record.h"
#include "glint/image/defective_image.h"
#include "glint/image/image.h"
#include "glint/nn/feature_extractor.h"
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

/// What a method reads of the backbone.
enum class FeatureKind { kNone, kMaps, kTokens, kMapsOrTokens };

/// In one pass over the images, with nothing to resume in between; or in meta-epochs, each of which leaves a
/// TrainingState.
enum class TrainingKind { kOnePass, kMetaEpochs };

/// What a method asks for, so that whoever trains it can check and give it before the first image is read.
struct MethodNeeds {
  FeatureKind features = FeatureKind::kMaps;
  std::vector<int> layers;  ///< which maps, 1 to 3; empty where it reads none
  TrainingKind training = TrainingKind::kMetaEpochs;
  bool augmentation_draws = true;  ///< trains from several augmented versions of each image
  /// The score of a place rests on what good parts show at that place of the input, so that the input must
  /// show the part as a whole: tiles are refused.
  bool position_bound = false;
  bool textures = false;           ///< FitInput::textures: pictures of other things
  bool synthetic_defects = false;  ///< FitInput::defective: good parts with a textured defect and its mask
  /// Share, below 1, of the training photographs that it takes for its own normalisation and does not train
  /// from: FitInput::normalisation.
  double normalisation_share = 0;

  bool uses_textures() const { return textures || synthetic_defects; }  ///< defects are filled with them
};

/// How the tensors of an optimiser's state are named in a training's.
inline constexpr const char* kOptimizerPrefix = "adam.";

/// Resumable state after a meta-epoch.
struct TrainingState {
  int meta_epoch = 0;  ///< finished ones
  TensorDict tensors;
  TrainingRecord record;  ///< series so far, and the parts that are finished
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

/// Pictures of other things than the part, of the size of an input: the user's, or rendered ones.
struct TexturePool {
  int count = 0;
  std::function<RgbImage(int index)> picture;  ///< thread-safe; equal for equal index
};

/// What a method trains from. Images are prepared network inputs.
struct FitInput {
  int images = 0;
  int draws = 1;                                       ///< augmentation draws per image
  std::function<RgbImage(int image, int draw)> image;  ///< thread-safe
  std::vector<RgbImage> held_out;                      ///< good parts for diagnostics only
  /// With needs().normalisation_share: all views of good photographs that neither train nor calibrate nor are
  /// in held_out.
  std::vector<RgbImage> normalisation;
  TexturePool textures;  ///< with needs().uses_textures(), else empty
  /// With needs().synthetic_defects: image(image, draw % draws), in every second draw or so with a defect.
  /// Any draw from 0 on is another one. Thread-safe.
  std::function<DefectiveImage(int image, int draw)> defective;
  std::uint64_t seed = 0;
  Precision precision = Precision::kAuto;
  std::int64_t cache_bytes = std::int64_t{4} << 30;  ///< features kept in memory; the rest goes to disk
  FeatureLibrary* library = nullptr;  ///< shares features between trainings; nullptr = each computes its own
  FeaturePool pool;                   ///< for the library
  std::vector<int> in_pool;           ///< image i of this training is image in_pool[i] of the pool
  std::optional<TrainingState> resume;
  std::function<void(const TrainingState&)> on_meta_epoch;  ///< after each one; may be empty
  ProgressSink* progress = &silent_progress();
};

struct FitResult {
  TensorDict weights;     ///< of the method's own parts, without the backbone
  TrainingRecord record;  ///< goes into model file and report
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
  /// Under the options that are set.
  virtual MethodNeeds needs() const = 0;
  /// Rules between options, and between options and backbone or input: Error(kConfig) names the options. Does
  /// not repeat needs(). Called once, by check_method.
  virtual void validate(const BackboneSpec&, const InputOptions&) const {}
  virtual FitResult fit(const FeatureExtractor& features, const FitInput& input) const = 0;
  /// For `images` training images (with their draws) of side `input_size`.
  virtual FitSize fit_size(const BackboneSpec& backbone, std::int64_t images, int input_size) const = 0;
  /// The tensors of a training state that load() needs: without what only training does, such as an
  /// optimiser's moments (kOptimizerPrefix).
  virtual TensorDict weights_of(const TensorDict& state) const;
  /// Error(kBadInput) naming `file` when a tensor is missing, has the wrong shape, or holds what no training
  /// gives (a value that is not finite, a negative variance).
  virtual std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> features,
                                         const TensorDict& weights, const std::string& file) const = 0;
};

/// Whether the method can work with this backbone and input, before any image is read: its needs and its own
/// rules. Error(kConfig) says what to choose instead.
void check_method(const Method& method, const BackboneSpec& backbone, const InputOptions& input);

/// What a training uses that names no method; chosen by the figures in docs/results.md.
std::string default_method();
/// The first that trains in one pass and compares places: what shows soonest whether alignment helps.
std::string position_bound_method();
/// Those that the industrial study compared and whose recipes it gave, the one that its experiments vary
/// first.
std::vector<std::string> study_methods();
/// Those that a choice within a budget tries when none are named: strong, or quick to train. The others of
/// the study are slower to train than a budget allows, or weak.
std::vector<std::string> candidate_methods();
std::vector<std::string> method_names();
/// Error(kConfig) with the nearest name when unknown.
std::unique_ptr<Method> make_method(const std::string& name);

}  // namespace glint
