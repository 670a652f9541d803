#include "glint/fit/fit.h"

#include <torch/version.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/base/parallel.h"
#include "glint/base/random.h"
#include "glint/data/split.h"
#include "glint/detect/feature_cache.h"
#include "glint/fit/crossfit.h"
#include "glint/fit/fit_files.h"
#include "glint/image/codec.h"
#include "glint/inspect/decision.h"
#include "glint/nn/backbone_store.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

constexpr int kHoldoutFrom = 100;  // good images from which auto keeps some out of training
constexpr int kScoreBatch = 8;

std::vector<RgbImage> prepare_all(const std::vector<Sample>& samples, const InputOptions& input,
                                  ProgressSink& progress) {
  std::vector<RgbImage> out(samples.size());
  progress.begin("preparing images", static_cast<std::int64_t>(samples.size()));
  parallel_for(static_cast<std::int64_t>(samples.size()), [&](std::int64_t i) {
    throw_if_cancelled();
    out[i] = prepare_input(read_image(samples[i].path), input);
    progress.advance(i + 1, "");
  });
  progress.end();
  return out;
}

std::vector<PatchScores> score_prepared(const Detector& detector, const std::vector<RgbImage>& images,
                                        const std::vector<int>& which) {
  std::vector<PatchScores> out;
  for (std::size_t first = 0; first < which.size(); first += kScoreBatch) {
    std::vector<RgbImage> batch;
    for (std::size_t i = first; i < std::min(which.size(), first + kScoreBatch); ++i)
      batch.push_back(images[which[i]]);
    for (PatchScores& scores : detector.patch_scores(batch)) out.push_back(std::move(scores));
  }
  return out;
}

std::vector<int> iota(int n) {
  std::vector<int> out(static_cast<std::size_t>(n));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

/// Trains on some of the prepared images.
class Trainer {
 public:
  /// `pool`: ascending indices of the images whose features are kept for all trainings.
  Trainer(const TrainConfig& config, const Backbone& backbone, const std::vector<RgbImage>& images,
          const std::vector<Sample>& samples, std::vector<int> pool, FeatureLibrary& library,
          ProgressSink& progress)
      : config_(config),
        backbone_(backbone),
        images_(images),
        samples_(samples),
        pool_(std::move(pool)),
        library_(library),
        progress_(progress) {}

  FitResult train(const std::vector<int>& which, std::vector<RgbImage> held_out, std::uint64_t seed,
                  std::optional<TrainingState> resume,
                  std::function<void(const TrainingState&)> on_meta_epoch) const {
    FitInput input;
    const bool offline = config_.augment == AugmentRegime::kOffline;
    const int versions = config_.shots > 0 ? kFewShotVersions : offline ? 1 + kOfflineCopies : 1;
    const auto made_of = [this, seed, versions, offline](const std::vector<int>& indices) {
      return [this, indices, seed, versions, offline](int i, int draw) {
        const int index = indices[i / versions];
        if (offline) {
          return i % versions == 0 ? images_[index]
                                   : augment(images_[index], AugmentRegime::kStrong, seed,
                                             stream_key(samples_[index].id), i % versions);
        }
        const RgbImage image = versions > 1 ? few_shot_version(images_[index], i % versions) : images_[index];
        // The draw depends on the image's name, not on its place among the images of this split.
        return augment(image, config_.augment, seed, stream_key(samples_[index].id), draw);
      };
    };
    input.images = static_cast<int>(which.size()) * versions;
    input.draws =
        !config_.method->needs().augmentation_draws || offline || config_.augment == AugmentRegime::kNone
            ? 1
            : config_.augment_draws;
    input.image = made_of(which);
    input.library = &library_;
    input.pool = {static_cast<int>(pool_.size()) * versions, made_of(pool_), images_key(pool_, seed)};
    for (const int index : which) {
      const auto at = std::lower_bound(pool_.begin(), pool_.end(), index) - pool_.begin();
      for (int v = 0; v < versions; ++v) input.in_pool.push_back(static_cast<int>(at) * versions + v);
    }
    input.held_out = std::move(held_out);
    input.seed = seed;
    input.precision = config_.precision;
    input.cache_bytes = static_cast<std::int64_t>(config_.cache_gib * (1 << 30));
    input.resume = std::move(resume);
    input.on_meta_epoch = std::move(on_meta_epoch);
    input.progress = &progress_;
    return config_.method->fit(backbone_, input);
  }

 private:
  std::string images_key(const std::vector<int>& which, std::uint64_t seed) const {
    const bool seedless = config_.augment == AugmentRegime::kNone;
    OptionTable input_options;
    InputOptions input = config_.input;
    input.describe(input_options);
    std::string text =
        fmt::format("{} {} {} {} {} {} {}", backbone_.identity().sha256, enum_name(config_.augment),
                    config_.augment_draws, seedless ? 0 : seed, config_.shots, enum_name(config_.precision),
                    input_options.to_json().dump());
    for (const int i : which) text += ' ' + samples_[i].id + ' ' + samples_[i].sha256;
    return sha256_hex(text);
  }

  const TrainConfig& config_;
  const Backbone& backbone_;
  const std::vector<RgbImage>& images_;
  const std::vector<Sample>& samples_;
  std::vector<int> pool_;
  FeatureLibrary& library_;
  ProgressSink& progress_;
};

/// In which products are computed on this machine.
Precision effective_precision(const TrainConfig& config) {
  return resolve_precision(config.precision, resolve_device(config.device));
}

/// What must be equal for a resume file to be continued.
std::string identity_of(TrainConfig& config, const Dataset& dataset, const BackboneIdentity& backbone) {
  return sha256_hex(fmt::format("{} {} {} {} {} {}", GLINT_VERSION, config.method_name,
                                enum_name(effective_precision(config)), backbone.sha256,
                                dataset.fingerprint(), config.table().to_json().dump()));
}

/// Rounds the input's side down to what the backbone takes, with a message.
void fit_input_size(TrainConfig& config, const BackboneSpec& spec, ProgressSink& progress) {
  const int multiple = spec.input_multiple();
  if (config.input.size % multiple == 0) return;
  const int size = std::max(1, config.input.size / multiple) * multiple;
  progress.message(fmt::format("input.size {} becomes {}: {} needs a multiple of {}", config.input.size, size,
                               spec.name, multiple));
  config.input.size = size;
}

json dataset_record(const Dataset& dataset, const std::set<std::string>& calibrating) {
  json images = json::array();
  for (const auto* part : {&dataset.train, &dataset.calibration}) {
    for (const Sample& sample : *part) {
      const bool calibration = sample.role == Role::kCalibration || calibrating.count(sample.id) > 0;
      images.push_back({{"id", utf8_text(sample.id)},
                        {"sha256", sample.sha256},
                        {"role", calibration ? "calibration" : "train"}});
    }
  }
  json leaked = json::array();
  for (const std::string& pair : dataset.leaked) leaked.push_back(utf8_text(pair));
  return {{"name", utf8_text(dataset.name())},
          {"fingerprint", dataset.fingerprint()},
          {"train_images", dataset.train.size()},
          {"images", images},
          {"leaked", leaked}};
}

PhotographSizes photograph_sizes(const Dataset& dataset) {
  PhotographSizes out;
  for (const auto* part : {&dataset.train, &dataset.calibration}) {
    for (const Sample& sample : *part) out.add(sample.width, sample.height);
  }
  return out;
}

}  // namespace

CalibrationPlan plan_calibration(const TrainConfig& config, const Dataset& dataset) {
  const int good = static_cast<int>(dataset.train.size());
  CalibrationPlan plan{config.calibration, good};
  if (plan.mode == CalibrationMode::kAuto) {
    plan.mode = !dataset.calibration.empty() ? CalibrationMode::kFolder
                : good >= kHoldoutFrom       ? CalibrationMode::kHoldout
                                             : CalibrationMode::kCrossfit;
  }
  if (config.shots > 0) {
    const int taken = config.shots * static_cast<int>(dataset.categories.size());
    if (plan.mode != CalibrationMode::kFolder) plan = {CalibrationMode::kHoldout, good - taken};
    if (plan.images < 1)
      fail(ErrorCode::kConfig, "train.shots = {}: no good image is left to calibrate with", config.shots);
  }
  if (plan.mode == CalibrationMode::kFolder) {
    plan.images = static_cast<int>(dataset.calibration.size());
    if (plan.images == 0) {
      fail(ErrorCode::kConfig,
           "calibration.mode = folder: {} has no calibration/good; add it or choose holdout",
           name_line(dataset.root));
    }
  } else if (plan.mode == CalibrationMode::kHoldout && config.shots == 0) {
    const int least = std::min(config.holdout_least, good - 2);
    plan.images = static_cast<int>(holdout_split(good, config.holdout_share, least, 0).held_out.size());
  }
  if (images_needed(config.false_reject) > plan.images) {
    // same sentence as the calibration itself, before hours of training
    conformal_threshold(std::vector<double>(static_cast<std::size_t>(plan.images), 0.0), config.false_reject);
  }
  return plan;
}

std::string run_identity(TrainConfig& config, const Dataset& dataset) {
  const Backbone backbone = open_backbone(config.backbone);
  fit_input_size(config, backbone.spec(), silent_progress());
  return identity_of(config, dataset, backbone.identity());
}

Model fit_model(TrainConfig& config, const Dataset& dataset, const FitOptions& options,
                ProgressSink& progress) {
  config.validate();
  check_training_needs(*config.method);
  const CalibrationPlan plan = plan_calibration(config, dataset);
  const auto opened = std::make_shared<Backbone>(open_backbone(config.backbone));
  Backbone& backbone = *opened;
  const torch::Device device = resolve_device(config.device);
  const Precision precision = effective_precision(config);
  backbone.to(device, precision);
  fit_input_size(config, backbone.spec(), progress);
  check_method(*config.method, backbone.spec(), config.input);
  const auto seed = static_cast<std::uint64_t>(config.seed);
  const std::string identity = identity_of(config, dataset, backbone.identity());
  check_outputs(config, dataset, options, backbone, plan.images);

  const int good = static_cast<int>(dataset.train.size());
  const std::vector<RgbImage> images = prepare_all(dataset.train, config.input, progress);
  std::vector<RgbImage> folder_images;
  if (plan.mode == CalibrationMode::kFolder)
    folder_images = prepare_all(dataset.calibration, config.input, progress);

  Split split;
  split.train = iota(good);
  if (config.shots > 0) {
    std::vector<std::string> categories;
    for (const Sample& sample : dataset.train) categories.push_back(sample.category);
    split = few_shot_split(categories, config.shots, seed);
    if (plan.mode == CalibrationMode::kFolder) split.held_out.clear();
  } else if (plan.mode == CalibrationMode::kHoldout) {
    split = holdout_split(good, config.holdout_share, std::min(config.holdout_least, good - 2), seed);
  }
  std::vector<RgbImage> held_out = folder_images;
  for (const int i : split.held_out) held_out.push_back(images[i]);

  std::optional<TrainingState> resume;
  CrossfitState folds_done;
  std::error_code ec;
  if (options.resume && !options.state.empty() && fs::exists(options.state, ec)) {
    SavedTraining saved = load_state(options.state, identity);
    folds_done = std::move(saved.folds);
    if (config.method->needs().training == TrainingKind::kMetaEpochs) resume = std::move(saved.training);
    progress.message(fmt::format("resuming after meta-epoch {}{}", resume ? resume->meta_epoch : 0,
                                 folds_done.finished.empty() ? ""
                                                             : fmt::format(" and {} folds of cross-fitting",
                                                                           folds_done.finished.size())));
  } else if (!options.state.empty() && fs::exists(options.state, ec)) {
    progress.message(fmt::format(
        "warning: {}, the state of an unfinished training, will be replaced; --resume would go on with it",
        name_line(options.state)));
  }
  FeatureLibrary own_library;
  const Trainer trainer(config, backbone, images, dataset.train, split.train,
                        options.library != nullptr ? *options.library : own_library, progress);
  TrainingState last = resume.value_or(TrainingState{});
  const FitResult fitted =
      trainer.train(split.train, held_out, seed, resume, [&](const TrainingState& state) {
        last = state;
        // The epoch first: a resumed training starts behind the state.
        if (!options.epochs.empty() && state.usable)
          save_epoch(options.epochs, state, *config.method, identity);
        if (!options.state.empty()) save_state(options.state, {state, {}}, identity);
      });

  Model model;
  model.method = config.method_name;
  model.training = fitted.record;
  model.backbone = backbone.identity();
  model.method_weights = fitted.weights;
  model.input = config.input;
  model.scoring = config.scoring;
  model.precision = precision;
  model.photographs = photograph_sizes(dataset);
  std::vector<PatchScores> calibration;
  std::set<std::string> calibrating;
  if (plan.mode == CalibrationMode::kCrossfit) {
    const std::vector<Split> folds = fold_splits(good, std::min(config.folds, good), seed);
    CrossfitSteps steps;
    steps.train = [&](std::size_t fold, std::optional<TrainingState> from,
                      const std::function<void(const TrainingState&)>& on_meta_epoch) {
      progress.message(fmt::format("crossfit: fold {} of {}, training without {} images", fold + 1,
                                   folds.size(), folds[fold].held_out.size()));
      return trainer.train(folds[fold].train, {}, seed, std::move(from), on_meta_epoch).weights;
    };
    steps.score = [&](const TensorDict& weights, std::size_t fold) {
      return score_prepared(*config.method->load(opened, weights, "crossfit"), images, folds[fold].held_out);
    };
    if (!options.state.empty()) {
      steps.on_state = [&](const CrossfitState& state) {
        save_state(options.state, {last, state}, identity);
      };
    }
    calibration = crossfit_scores(folds, std::move(folds_done), steps);
  } else {
    const auto detector = config.method->load(opened, fitted.weights, "trained weights");
    calibration = plan.mode == CalibrationMode::kFolder
                      ? score_prepared(*detector, folder_images, iota(static_cast<int>(folder_images.size())))
                      : score_prepared(*detector, images, split.held_out);
    for (const int i : split.held_out) calibrating.insert(dataset.train[i].id);
  }
  model.calibration_patches = pack_calibration(calibration);
  if (options.include_backbone) model.backbone_weights = backbone.weights();
  model.record = {{"config", config.table().to_json()},
                  {"recipe", enum_name(config.recipe)},
                  {"dataset", dataset_record(dataset, calibrating)},
                  {"decision", {{"mode", enum_name(plan.mode)}, {"wished_rate", config.false_reject}}},
                  {"versions", {{"glint", GLINT_VERSION}, {"libtorch", TORCH_VERSION}}},
                  {"run_identity", identity}};
  model.record["decision"] = calibrate(model, config.false_reject).to_json();
  return model;
}

std::string model_fingerprint(const Model& model) {
  Model copy = model;
  copy.training.times.reset();
  for (TrainingRecord& part : copy.training.parts) part.times.reset();
  return sha256_hex(serialize_safetensors(model_to_file(copy)));
}

}  // namespace glint
