#include "glint/fit/trainer.h"

#include <algorithm>
#include <span>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/random.h"
#include "glint/data/split.h"
#include "glint/synth/textured_defect.h"

namespace glint {

TrainingParts training_parts(const Method& method, const std::vector<int>& which, int n, std::uint64_t seed) {
  const double share = method.needs().normalisation_share;
  if (share == 0) return {which, {}};
  if (which.size() < 2) {
    fail(
        ErrorCode::kBadInput,
        "{} keeps a share of {} of the training photographs for its normalisation, and there {} {}; add good "
        "photographs or choose another method",
        method.name(), share, which.size() == 1 ? "is" : "are", which.size());
  }
  Split split = share_split(which, share, n, seed);
  return {std::move(split.train), std::move(split.held_out)};
}

void give_textures(FitInput& input, const MethodNeeds& needs,
                   const std::shared_ptr<const TextureSource>& textures,
                   const std::function<std::uint64_t(int image)>& key_of) {
  if (!needs.uses_textures()) return;
  GLINT_CHECK(textures != nullptr);
  input.textures = {textures->count(), [textures](int index) { return textures->picture(index); }};
  if (!needs.synthetic_defects) return;
  input.defective = [image = input.image, draws = input.draws, seed = input.seed, pool = input.textures,
                     key_of](int index, int draw) {
    Rng rng(seed, "train.defect", key_of(index), draw);
    const int texture = static_cast<int>(rng.below(static_cast<std::uint64_t>(pool.count)));
    return add_textured_defect(image(index, draw % draws), pool.picture(texture), rng.bits());
  };
}

Trainer::Trainer(const TrainConfig& config, const FeatureExtractor& features, std::string backbone_sha256,
                 const ViewMaker& maker, const std::vector<Views>& photographs,
                 const std::vector<Sample>& samples, std::vector<int> pool,
                 std::shared_ptr<const TextureSource> textures, FeatureLibrary& library,
                 ProgressSink& progress)
    : config_(config),
      features_(features),
      backbone_sha256_(std::move(backbone_sha256)),
      maker_(maker),
      photographs_(photographs),
      samples_(samples),
      pool_(std::move(pool)),
      textures_(std::move(textures)),
      library_(library),
      progress_(progress) {}

FitResult Trainer::train(const TrainingParts& parts, std::vector<RgbImage> held_out, std::uint64_t seed,
                         std::optional<TrainingState> resume,
                         std::function<void(const TrainingState&)> on_meta_epoch) const {
  const MethodNeeds needs = config_.method->needs();
  const std::vector<int>& which = parts.train;
  FitInput input;
  const bool offline = config_.augment == AugmentRegime::kOffline;
  const int versions = config_.shots > 0 ? kFewShotVersions : offline ? 1 + kOfflineCopies : 1;
  const int views = maker_.per_photograph(), each = views * versions;  // training images of a photograph
  // A draw depends on the image's name, not on its place among the images of this split.
  const auto key_of = [this](int index, int view) {
    return stream_key(samples_[index].id) + static_cast<std::uint64_t>(view);
  };
  const auto made_of = [this, seed, versions, views, each, offline, key_of](const std::vector<int>& indices) {
    return [this, indices, seed, versions, views, each, offline, key_of](int i, int draw) {
      const int index = indices[i / each], view = i / versions % views;
      const RgbImage& prepared = photographs_[index].inputs[view];
      const std::uint64_t key = key_of(index, view);
      if (offline) {
        return i % versions == 0 ? prepared
                                 : augment(prepared, AugmentRegime::kStrong, seed, key, i % versions);
      }
      const RgbImage image = versions > 1 ? few_shot_version(prepared, i % versions) : prepared;
      return augment(image, config_.augment, seed, key, draw);
    };
  };
  input.images = static_cast<int>(which.size()) * each;
  input.draws = !needs.augmentation_draws || offline || config_.augment == AugmentRegime::kNone
                    ? 1
                    : config_.augment_draws;
  input.image = made_of(which);
  input.library = &library_;
  input.pool = {static_cast<int>(pool_.size()) * each, made_of(pool_), images_key(pool_, seed)};
  for (const int index : which) {
    const auto at = std::lower_bound(pool_.begin(), pool_.end(), index) - pool_.begin();
    for (int v = 0; v < each; ++v) input.in_pool.push_back(static_cast<int>(at) * each + v);
  }
  input.held_out = std::move(held_out);
  for (const int index : parts.normalisation)
    input.normalisation.insert(input.normalisation.end(), photographs_[index].inputs.begin(),
                               photographs_[index].inputs.end());
  input.seed = seed;
  input.precision = method_precision(config_.precision);
  input.cache_bytes = static_cast<std::int64_t>(config_.cache_gib * (1 << 30));
  input.resume = std::move(resume);
  input.on_meta_epoch = std::move(on_meta_epoch);
  input.progress = &progress_;
  give_textures(input, needs, textures_, [which, versions, views, each, key_of](int i) {
    return derive_seed(key_of(which[i / each], i / versions % views), i % versions);
  });
  return config_.method->fit(features_, input);
}

std::string Trainer::images_key(const std::vector<int>& which, std::uint64_t seed) const {
  const bool seedless = config_.augment == AugmentRegime::kNone;
  OptionTable input_options;
  InputOptions input = maker_.options();
  input.describe(input_options);
  std::string text =
      fmt::format("{} {} {} {} {} {} {} {}", backbone_sha256_, enum_name(config_.augment),
                  config_.augment_draws, seedless ? 0 : seed, config_.shots, enum_name(config_.precision),
                  enum_name(features_.engine()), input_options.to_json().dump());
  if (maker_.registration())
    text += ' ' + sha256_hex(std::as_bytes(std::span(maker_.registration()->reference().pixels)));
  for (const int i : which) text += ' ' + samples_[i].id + ' ' + samples_[i].sha256;
  return sha256_hex(text);
}

}  // namespace glint
