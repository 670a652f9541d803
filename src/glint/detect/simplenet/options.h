// Options of SimpleNet (Liu et al., CVPR 2023) and the study's recipes.
#pragma once

#include "glint/base/options.h"

namespace glint {

/// Which optimiser trains the adapter: the study's Adam with coupled decay, or the published code's AdamW.
enum class AdapterOptimizer { kAdam, kAdamW };
template <>
struct EnumNames<AdapterOptimizer> {
  static constexpr std::pair<AdapterOptimizer, std::string_view> table[] = {
      {AdapterOptimizer::kAdam, "adam"}, {AdapterOptimizer::kAdamW, "adamw"}};
};

/// relative: embeddings are divided by one number, so that their spread over the training images equals that
/// of WideResNet-50-2 features, for which noise_std = 0.015 was published. absolute: as published, no
/// scaling.
enum class NoiseScale { kRelative, kAbsolute };
template <>
struct EnumNames<NoiseScale> {
  static constexpr std::pair<NoiseScale, std::string_view> table[] = {{NoiseScale::kRelative, "relative"},
                                                                      {NoiseScale::kAbsolute, "absolute"}};
};

/// Where fakes are altered: at every place (published), or inside patches of thresholded Perlin noise, where
/// the other places of the altered copy count as good (SuperSimpleNet).
enum class NoiseMask { kEverywhere, kPerlin };
template <>
struct EnumNames<NoiseMask> {
  static constexpr std::pair<NoiseMask, std::string_view> table[] = {{NoiseMask::kEverywhere, "everywhere"},
                                                                     {NoiseMask::kPerlin, "perlin"}};
};

/// hinge: published. hinge_focal: with SuperSimpleNet's focal term (score_loss.h).
enum class DiscriminatorLoss { kHinge, kHingeFocal };
template <>
struct EnumNames<DiscriminatorLoss> {
  static constexpr std::pair<DiscriminatorLoss, std::string_view> table[] = {
      {DiscriminatorLoss::kHinge, "hinge"}, {DiscriminatorLoss::kHingeFocal, "hinge_focal"}};
};

struct SimpleNetOptions {
  int embedding_dimension = 0;  ///< 0 = the backbone's default
  int hidden_dimension = 0;     ///< 0 = two thirds of the embedding's, as 1024 is of 1536
  double noise_std = 0.015;     ///< published code
  NoiseScale noise_scale = NoiseScale::kRelative;
  NoiseMask noise_mask = NoiseMask::kEverywhere;
  double mask_threshold = 0.2;  ///< SuperSimpleNet
  double distance = 0;          ///< of a fake, in radii of the good features (negatives.h); 0 = noise_std
  int ascent_steps = 0;
  double ascent_step = 0.1;  ///< radii
  double margin = 0.5;       ///< published code
  DiscriminatorLoss loss = DiscriminatorLoss::kHinge;
  double focal_exponent = 4;  ///< SuperSimpleNet
  AdapterOptimizer adapter_optimizer = AdapterOptimizer::kAdam;
  double adapter_learning_rate = 1e-4;        ///< study and published code
  double adapter_weight_decay = 1e-5;         ///< study; published code: 0.01, decoupled
  double discriminator_learning_rate = 5e-4;  ///< study; published code: 2e-4
  double discriminator_weight_decay = 1e-5;   ///< coupled
  double final_learning_rate = 1;  ///< share of the first; cosine in between; published with --cos_lr: 0.4
  double clip_norm = 1.0;          ///< adapter and discriminator each; 0 = none (baseline)
  int batch = 4;                   ///< images
  int meta_epochs = 40;
  int passes = 4;     ///< over the training images per meta-epoch
  int snapshots = 1;  ///< heads of the last meta-epochs whose outputs are averaged

  void describe(OptionTable& table) {
    table.add("simplenet.embedding_dimension", embedding_dimension,
              "features per patch; 0 = the backbone's default", {0, 8192});
    table.add("simplenet.hidden_dimension", hidden_dimension,
              "discriminator's hidden units; 0 = 2/3 of the embedding", {0, 8192});
    table.add("simplenet.noise_std", noise_std, "standard deviation of the noise that makes fake features",
              {1e-6, 100});
    table.add("simplenet.noise_scale", noise_scale,
              "noise relative to WideResNet-50-2's feature spread, or absolute");
    table.add("simplenet.noise_mask", noise_mask,
              "alter fakes at every place, or in Perlin-shaped patches whose surroundings stay good");
    table.add("simplenet.mask_threshold", mask_threshold,
              "noise_mask=perlin: Perlin noise above it is altered", {-1, 1});
    table.add(
        "simplenet.distance", distance,
        "fakes lie at 1 to 2 times this distance, in units of what good features of different images are "
        "apart; 0 = noise_std decides",
        {0, 100});
    table.add("simplenet.ascent_steps", ascent_steps,
              "steps by which fakes move to where the discriminator takes them for good; needs distance",
              {0, 1000});
    table.add("simplenet.ascent_step", ascent_step, "length of such a step, in the units of distance",
              {0, 10});
    table.add("simplenet.margin", margin, "hinge margin on both sides", {0, 100});
    table.add("simplenet.loss", loss, "hinge, or hinge with SuperSimpleNet's focal term");
    table.add("simplenet.focal_exponent", focal_exponent, "exponent of the focal term", {0, 20});
    table.add("simplenet.adapter_optimizer", adapter_optimizer, "optimiser of the adapter");
    table.add("simplenet.adapter_learning_rate", adapter_learning_rate, "step size", {0, 1});
    table.add("simplenet.adapter_weight_decay", adapter_weight_decay, "weight decay", {0, 1});
    table.add("simplenet.discriminator_learning_rate", discriminator_learning_rate, "step size", {0, 1});
    table.add("simplenet.discriminator_weight_decay", discriminator_weight_decay, "weight decay", {0, 1});
    table.add("simplenet.final_learning_rate", final_learning_rate,
              "step sizes at the end as a share of the first, cosine in between; 1 = constant", {0, 1});
    table.add("simplenet.clip_norm", clip_norm,
              "largest gradient norm of adapter and of discriminator; 0 = no limit", {0, 1e6});
    table.add("simplenet.batch", batch, "images per step", {1, 1024});
    table.add("simplenet.meta_epochs", meta_epochs, "tracker readings and resume points", {1, 100000});
    table.add("simplenet.passes", passes, "passes over the training images per meta-epoch", {1, 1000});
    table.add("simplenet.snapshots", snapshots,
              "heads of the last meta-epochs whose outputs are averaged; 1 = the last one alone", {1, 1000});
  }
};

}  // namespace glint
