#include "glint/fit/config.h"

#include "glint/base/error.h"
#include "glint/nn/no_backbone.h"

namespace glint {

TrainConfig::TrainConfig(const std::string& method_text, const std::string& backbone_text, Recipe chosen)
    : method_name(method_text), backbone(backbone_text), recipe(chosen), method(make_method(method_text)) {
  if (method->needs().features == FeatureKind::kNone) backbone = kNoBackbone;
  const RecipeDefaults defaults = method->apply_recipe(recipe, backbone_architecture(backbone));
  augment = defaults.mild_augmentation ? AugmentRegime::kMild : AugmentRegime::kNone;
  input = defaults.input;
  scoring = defaults.scoring;
}

OptionTable TrainConfig::table() {
  OptionTable t;
  t.add("train.seed", seed, "seed of everything random", {0, 9e15});
  t.add("train.device", device, "where tensors run");
  t.add("train.precision", precision,
        "products: float32, or bfloat16 with float32 sums where the CPU has it; int8: the backbone in bytes");
  t.add("train.engine", engine,
        "what computes the backbone, in training and on the line: onednn (fused layers, on a CPU) or torch");
  t.add("train.cache_gib", cache_gib, "features kept in memory, GiB; the rest goes to a temporary file",
        {0, 4096});
  t.add("train.shots", shots,
        "few-shot: train on this many good images of each category in 22 versions each, calibrate on the "
        "others; 0 = off",
        {0, 1000});
  t.add("train.textures", textures,
        "folder of pictures of other things, for a method that trains from textures or from defects made of "
        "them; empty: rendered ones");
  t.add("augment.regime", augment, "augmentation of the training images");
  t.add("augment.draws", augment_draws, "augmented versions of each image; pass p uses version p modulo this",
        {1, 100000});
  t.add("calibration.mode", calibration,
        "which good images set the threshold; auto: folder, holdout from 100 on, else crossfit");
  t.add(
      "calibration.false_reject", false_reject,
      "tolerable share of good parts rejected; 0: 0.01, or the next of 0.02, 0.05, ... that the good images "
      "can promise",
      {0, 0.5});
  t.add("calibration.holdout_share", holdout_share, "share of the good images kept out of training",
        {0.01, 0.9});
  t.add("calibration.holdout_least", holdout_least, "at least this many", {1, 1000000});
  t.add("calibration.folds", folds, "detectors trained for crossfit", {2, 100});
  input.describe(t);
  scoring.describe(t);
  method->describe(t);
  return t;
}

void TrainConfig::validate() const {
  input.validate();
  const MethodNeeds needs = method->needs();
  if (input.tiles > 1 && needs.position_bound) {
    fail(ErrorCode::kConfig,
         "input.tiles = {}: {} compares each place of the input with the same place of good parts, tiles "
         "have no "
         "place of their own; choose another method or input.tiles = 1 with a larger input.size",
         input.tiles, method_name);
  }
  if (!textures.empty() && !needs.uses_textures()) {
    fail(ErrorCode::kConfig, "train.textures = {}: {} trains from no textures; leave it out", textures,
         method_name);
  }
  if (shots > 0 && needs.normalisation_share > 0) {
    fail(ErrorCode::kConfig,
         "train.shots = {}: {} keeps a share of the training photographs for its normalisation, which few "
         "cannot spare; choose another method or train.shots = 0",
         shots, method_name);
  }
  if (shots > 0 && augment == AugmentRegime::kOffline) {
    fail(ErrorCode::kConfig,
         "augment.regime = offline does not go with train.shots: few-shot training has its own versions");
  }
}

}  // namespace glint
