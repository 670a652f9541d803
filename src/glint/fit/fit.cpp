#include "glint/fit/fit.h"

#include <algorithm>
#include <set>

#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/base/order_statistics.h"
#include "glint/base/parallel.h"
#include "glint/data/split.h"
#include "glint/detect/feature_library.h"
#include "glint/fit/alignment.h"
#include "glint/fit/arithmetic.h"
#include "glint/fit/crossfit.h"
#include "glint/fit/fit_files.h"
#include "glint/fit/trainer.h"
#include "glint/image/codec.h"
#include "glint/inspect/decision.h"
#include "glint/nn/backbone_store.h"
#include "glint/nn/runtime.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

constexpr int kHoldoutFrom = 100;  // good images from which auto keeps some out of training

std::vector<Views> prepare_all(const std::vector<Sample>& samples, const ViewMaker& maker,
                               ProgressSink& progress) {
  std::vector<Views> out(samples.size());
  progress.begin("preparing images", static_cast<std::int64_t>(samples.size()));
  parallel_for(static_cast<std::int64_t>(samples.size()), [&](std::int64_t i) {
    throw_if_cancelled();
    out[i] = maker.make(read_image(samples[i].path));
    progress.advance(i + 1, "");
  });
  progress.end();
  return out;
}

/// Takes out the photographs whose part cannot be aligned: they would get no decision, so that they neither
/// train nor calibrate. Returns how many.
int drop_unaligned(std::vector<int>& which, const std::vector<Views>& photographs) {
  return static_cast<int>(
      std::erase_if(which, [&](int i) { return !photographs[i].placement.refusal.empty(); }));
}

/// In which products are computed on this machine; in float32 unless asked otherwise where no backbone would
/// gain.
Precision effective_precision(const TrainConfig& config) {
  if (config.precision == Precision::kAuto && config.method->needs().features == FeatureKind::kNone)
    return resolve_precision(Precision::kFloat32, config.device);
  return resolve_precision(config.precision, config.device);
}

/// Every option, but not where a folder lies: what is in it is recorded beside them.
json config_record(TrainConfig& config) {
  json out = config.table().to_json();
  out["train"].erase("textures");
  return out;
}

/// What must be equal for a resume file to be continued. `textures`: of the user's folder, where one is used.
std::string identity_of(TrainConfig& config, const Dataset& dataset, const Backbone& backbone,
                        const std::optional<TextureFolder>& textures) {
  const Precision precision = effective_precision(config);
  std::string text =
      fmt::format("{} {} {} {} {} {} {}", GLINT_VERSION, config.method_name, enum_name(precision),
                  enum_name(backbone.engine_for(config.device, precision, config.engine)),
                  backbone.identity().sha256, dataset.fingerprint(), config_record(config).dump());
  if (textures) text += ' ' + textures->fingerprint;
  return sha256_hex(text);
}

std::optional<TextureFolder> texture_folder(const TrainConfig& config) {
  if (config.textures.empty()) return std::nullopt;
  return scan_texture_folder(config.textures, "train.textures");
}

/// A picture of the dataset among the textures would train the detector with parts that calibrate or test it.
void check_apart(const TextureFolder& textures, const Dataset& dataset) {
  std::set<std::string> of_dataset;
  for (const auto* part : {&dataset.train, &dataset.calibration, &dataset.test}) {
    for (const Sample& sample : *part) of_dataset.insert(sample.sha256);
  }
  for (const TextureFolder::File& file : textures.files) {
    if (of_dataset.contains(file.sha256)) {
      fail(ErrorCode::kBadInput,
           "train.textures: {} is also a photograph of the dataset; textures are pictures of other things, "
           "choose another folder",
           name_line(file.path));
    }
  }
}

/// For the model's record.
json texture_record(const std::optional<TextureFolder>& folder, const TextureSource& source) {
  if (!folder) return {{"source", "rendered"}, {"pictures", source.count()}};
  fs::path name = folder->folder.lexically_normal();
  if (!name.has_filename()) name = name.parent_path();
  return {{"source", "folder"},
          {"name", name_text(name.filename())},
          {"pictures", source.count()},
          {"fingerprint", folder->fingerprint}};
}

/// Rounds the input's side down to what the backbone takes, and fills in the photographs' aspect where that
/// is wished, with messages.
void settle_input_size(TrainConfig& config, const Dataset& dataset, const BackboneSpec& spec,
                       ProgressSink& progress) {
  InputOptions& input = config.input;
  if (const int multiple = spec.input_multiple(); input.size % multiple != 0) {
    const int size = std::max(1, input.size / multiple) * multiple;
    progress.message(fmt::format("input.size {} becomes {}: {} needs a multiple of {}", input.size, size,
                                 spec.name, multiple));
    input.size = size;
  }
  if (input.aspect > 0) return;
  std::vector<double> aspects;
  for (const Sample& sample : dataset.train)
    aspects.push_back(static_cast<double>(sample.width) / sample.height);
  input.aspect = std::clamp(median(std::move(aspects)), 1 / kLargestAspect, kLargestAspect);
  const ImageSize size = input.input_size();
  progress.message(fmt::format("the network's input is {} x {} pixels, as the photographs' aspect of {:.3f}",
                               size.width, size.height, input.aspect));
}

json dataset_record(const Dataset& dataset, const std::set<std::string>& calibrating,
                    const std::set<std::string>& normalising) {
  json images = json::array();
  for (const auto* part : {&dataset.train, &dataset.calibration}) {
    for (const Sample& sample : *part) {
      const bool calibration = sample.role == Role::kCalibration || calibrating.count(sample.id) > 0;
      images.push_back({{"id", utf8_text(sample.id)},
                        {"sha256", sample.sha256},
                        {"role", calibration                       ? "calibration"
                                 : normalising.contains(sample.id) ? "normalisation"
                                                                   : "train"}});
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

/// The same sentence as the calibration itself, before hours of training.
void require_images(int images, double false_reject) {
  conformal_threshold(std::vector<double>(static_cast<std::size_t>(std::max(0, images)), 0.0), false_reject);
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
  plan.false_reject = config.false_reject > 0 ? config.false_reject : promisable_rate(plan.images);
  require_images(plan.images, plan.false_reject);
  return plan;
}

std::string run_identity(TrainConfig& config, const Dataset& dataset) {
  const Backbone backbone = open_backbone(config.backbone);
  settle_input_size(config, dataset, backbone.spec(), silent_progress());
  config.false_reject = plan_calibration(config, dataset).false_reject;
  return identity_of(config, dataset, backbone, texture_folder(config));
}

Model fit_model(TrainConfig& config, const Dataset& dataset, const FitOptions& options,
                ProgressSink& progress) {
  config.validate();
  const CalibrationPlan plan = plan_calibration(config, dataset);
  if (config.false_reject == 0) {
    config.false_reject = plan.false_reject;
    progress.message(
        fmt::format("{} good images will calibrate: a false-reject rate of {} is promised "
                    "(--false-reject wishes another)",
                    plan.images, plan.false_reject));
  }
  const auto opened = std::make_shared<Backbone>(open_backbone(config.backbone));
  Backbone& backbone = *opened;
  const Precision precision = effective_precision(config);
  backbone.engine_for(config.device, precision, config.engine);  // refuses before any work
  settle_input_size(config, dataset, backbone.spec(), progress);
  check_method(*config.method, backbone.spec(), config.input);
  const auto seed = static_cast<std::uint64_t>(config.seed);
  const std::optional<TextureFolder> texture_files = texture_folder(config);
  if (texture_files) {
    check_apart(*texture_files, dataset);
    for (const std::string& notice : texture_files->notices) progress.message("train.textures: " + notice);
  }
  const std::string identity = identity_of(config, dataset, backbone, texture_files);
  std::vector<fs::path> read;
  if (texture_files) {
    for (const TextureFolder::File& file : texture_files->files) read.push_back(file.path);
  }
  check_outputs(config, dataset, std::move(read), options, backbone.spec(), backbone.weights(), plan.images);
  std::shared_ptr<const TextureSource> textures;
  if (config.method->needs().uses_textures()) {
    const ImageSize size = config.input.input_size();
    textures = texture_files ? std::make_shared<TextureSource>(*texture_files, size)
                             : std::make_shared<TextureSource>(size, static_cast<std::uint64_t>(config.seed));
  }

  const int good = static_cast<int>(dataset.train.size());
  Split split;
  split.train = all_indices(good);
  if (config.shots > 0) {
    std::vector<std::string> categories;
    for (const Sample& sample : dataset.train) categories.push_back(sample.category);
    split = few_shot_split(categories, config.shots, seed);
    if (plan.mode == CalibrationMode::kFolder) split.held_out.clear();
  } else if (plan.mode == CalibrationMode::kHoldout) {
    split = holdout_split(good, config.holdout_share, std::min(config.holdout_least, good - 2), seed);
  }
  backbone.to(config.device, precision, config.engine,
              precision == Precision::kInt8
                  ? activation_ranges(backbone, config.input, dataset.train, split.train)
                  : ActivationRanges{});
  AlignmentChoice alignment =
      choose_alignment(config, opened, dataset.train, split.train, textures, progress);
  InputOptions used_input = config.input;
  used_input.align = alignment.registration ? Align::kRigid : Align::kNone;
  const ViewMaker maker(used_input, alignment.registration);
  const std::vector<Views> photographs = prepare_all(dataset.train, maker, progress);
  std::vector<Views> folder;
  if (plan.mode == CalibrationMode::kFolder) folder = prepare_all(dataset.calibration, maker, progress);
  std::vector<int> folder_parts = all_indices(static_cast<int>(folder.size()));
  const int dropped = drop_unaligned(split.train, photographs) + drop_unaligned(split.held_out, photographs) +
                      drop_unaligned(folder_parts, folder);
  if (dropped > 0) {
    alignment.record["left_out"] = dropped;
    progress.message(fmt::format("{} good photographs cannot be aligned and are left out", dropped));
    const auto& calibrates = plan.mode == CalibrationMode::kFolder    ? folder_parts
                             : plan.mode == CalibrationMode::kHoldout ? split.held_out
                                                                      : split.train;
    require_images(static_cast<int>(calibrates.size()), config.false_reject);
  }
  std::vector<RgbImage> held_out;
  for (const int i : folder_parts)
    held_out.insert(held_out.end(), folder[i].inputs.begin(), folder[i].inputs.end());
  for (const int i : split.held_out)
    held_out.insert(held_out.end(), photographs[i].inputs.begin(), photographs[i].inputs.end());

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
  const Trainer trainer(config, backbone, backbone.identity().sha256, maker, photographs, dataset.train,
                        split.train, textures, options.library != nullptr ? *options.library : own_library,
                        progress);
  const TrainingParts parts = training_parts(*config.method, split.train, good, seed);
  TrainingState last = resume.value_or(TrainingState{});
  const FitResult fitted = trainer.train(parts, held_out, seed, resume, [&](const TrainingState& state) {
    last = state;
    // The epoch first: a resumed training starts behind the state.
    if (!options.epochs.empty() && state.usable) save_epoch(options.epochs, state, *config.method, identity);
    if (!options.state.empty()) save_state(options.state, {state, {}}, identity);
  });

  Model model;
  model.method = config.method_name;
  model.training = fitted.record;
  model.backbone = backbone.identity();
  model.method_weights = fitted.weights;
  model.input = used_input;
  model.registration = alignment.registration;
  model.scoring = config.scoring;
  model.precision = precision;
  model.engine = backbone.engine();
  model.activation_ranges = backbone.ranges();
  model.photographs = photograph_sizes(dataset);
  std::vector<PatchScores> calibration;
  std::set<std::string> calibrating, normalising;
  for (const int i : parts.normalisation) normalising.insert(dataset.train[i].id);
  if (plan.mode == CalibrationMode::kCrossfit) {
    std::vector<Split> folds = fold_splits(good, std::min(config.folds, good), seed);
    for (Split& fold : folds) {
      drop_unaligned(fold.train, photographs);
      drop_unaligned(fold.held_out, photographs);
    }
    CrossfitSteps steps;
    steps.train = [&](std::size_t fold, std::optional<TrainingState> from,
                      const std::function<void(const TrainingState&)>& on_meta_epoch) {
      progress.message(fmt::format("crossfit: fold {} of {}, training without {} images", fold + 1,
                                   folds.size(), folds[fold].held_out.size()));
      const TrainingParts of_fold = training_parts(*config.method, folds[fold].train, good, seed);
      return trainer.train(of_fold, {}, seed, std::move(from), on_meta_epoch).weights;
    };
    steps.score = [&](const TensorDict& weights, std::size_t fold) {
      return score_prepared(*config.method->load(opened, weights, "crossfit"), maker, photographs,
                            folds[fold].held_out);
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
                      ? score_prepared(*detector, maker, folder, folder_parts)
                      : score_prepared(*detector, maker, photographs, split.held_out);
    for (const int i : split.held_out) calibrating.insert(dataset.train[i].id);
  }
  model.calibration_patches = pack_scores(calibration);
  if (options.include_backbone) model.backbone_weights = backbone.weights();
  model.record = {{"config", config_record(config)},
                  {"recipe", enum_name(config.recipe)},
                  {"dataset", dataset_record(dataset, calibrating, normalising)},
                  {"decision", {{"mode", enum_name(plan.mode)}, {"wished_rate", config.false_reject}}},
                  {"versions", {{"glint", GLINT_VERSION}, {"libtorch", engine_version()}}},
                  {"run_identity", identity}};
  if (textures) model.record["textures"] = texture_record(texture_files, *textures);
  if (!alignment.record.is_null()) model.record["alignment"] = alignment.record;
  const Decision decision = calibrate(model, config.false_reject);
  model.record["decision"] = decision.to_json();
  if (!split.train.empty()) {
    const auto detector = config.method->load(opened, fitted.weights, "trained weights");
    model.capsule = ParityCapsule::make(*detector, photographs[split.train.front()].inputs.front());
  }
  // Cross-fitting leaves no part that the kept detector has not seen.
  const bool plain = precision == Precision::kFloat32 && backbone.engine() == Engine::kTorch;
  if (!plain && plan.mode != CalibrationMode::kCrossfit) {
    progress.message("measuring what engine and precision do to the scores");
    const bool folders = plan.mode == CalibrationMode::kFolder;
    model.record[kArithmeticKey] =
        arithmetic_effect(config, backbone, fitted.weights, maker, folders ? folder : photographs,
                          folders ? folder_parts : split.held_out, calibration, decision)
            .to_json();
  }
  return model;
}

std::string model_fingerprint(const Model& model) {
  Model copy = model;
  copy.training.times.reset();
  for (TrainingRecord& part : copy.training.parts) part.times.reset();
  return sha256_hex(serialize_safetensors(model_to_file(copy)));
}

}  // namespace glint
