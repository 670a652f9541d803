// Options of SuperSimpleNet (Rolih et al., ICPR 2024), unsupervised mode; the defaults of the fields are the
// published code's.
#pragma once

#include "glint/base/options.h"
#include "glint/detect/simplenet/options.h"

namespace glint {

/// How both layers come to twice layer2's grid: from corner to corner (published code), or on pixel centres
/// (anomalib).
enum class LayerAlignment { kCorners, kCentres };
template <>
struct EnumNames<LayerAlignment> {
  static constexpr std::pair<LayerAlignment, std::string_view> table[] = {
      {LayerAlignment::kCorners, "corners"}, {LayerAlignment::kCentres, "centres"}};
};

struct SuperSimpleNetOptions {
  int hidden_dimension = 1024;
  LayerAlignment alignment = LayerAlignment::kCorners;
  double noise_std = 0.015;
  NoiseScale noise_scale = NoiseScale::kAbsolute;
  double mask_threshold = 0.2;  ///< Perlin noise above it is a defect; 0.6 was published for VisA
  double clean_share = 0.5;     ///< of the training elements that get no defect
  double margin = 0.5;
  double focal_exponent = 4;
  double adapter_learning_rate = 1e-4, adapter_weight_decay = 0.01;
  double head_learning_rate = 2e-4, head_weight_decay = 1e-5;
  double learning_rate_factor = 0.4;  ///< at 80 % and at 90 % of the passes
  int batch = 32;                     ///< images; each is in a step twice
  int meta_epochs = 60;
  int passes = 5;  ///< published: 300 passes in all

  void describe(OptionTable& table) {
    table.add("supersimplenet.hidden_dimension", hidden_dimension, "hidden units of the map's head",
              {1, 8192});
    table.add("supersimplenet.alignment", alignment, "how the layers are laid over the finer grid");
    table.add("supersimplenet.noise_std", noise_std, "standard deviation of the noise that makes defects",
              {1e-6, 100});
    table.add("supersimplenet.noise_scale", noise_scale,
              "noise relative to WideResNet-50-2's feature spread, or absolute (published)");
    table.add("supersimplenet.mask_threshold", mask_threshold, "Perlin noise above it is a defect", {-1, 1});
    table.add("supersimplenet.clean_share", clean_share, "share of the training elements without a defect",
              {0, 1});
    table.add("supersimplenet.margin", margin, "margin of the truncated L1 loss", {0, 100});
    table.add("supersimplenet.focal_exponent", focal_exponent, "exponent of the focal losses", {0, 20});
    table.add("supersimplenet.adapter_learning_rate", adapter_learning_rate, "step size", {0, 1});
    table.add("supersimplenet.adapter_weight_decay", adapter_weight_decay, "decoupled weight decay", {0, 1});
    table.add("supersimplenet.head_learning_rate", head_learning_rate, "step size of both heads", {0, 1});
    table.add("supersimplenet.head_weight_decay", head_weight_decay, "decoupled weight decay", {0, 1});
    table.add("supersimplenet.learning_rate_factor", learning_rate_factor,
              "of all step sizes at 80 % and at 90 % of the passes", {0, 1});
    table.add("supersimplenet.batch", batch, "images per step, each of them twice (published: 32)",
              {1, 1024});
    table.add("supersimplenet.meta_epochs", meta_epochs, "tracker readings and resume points", {1, 100000});
    table.add("supersimplenet.passes", passes,
              "passes over the training images per meta-epoch; meta_epochs * passes = 300 is the published "
              "length (--recipe baseline), the other recipes are short",
              {1, 1000});
  }
};

}  // namespace glint
