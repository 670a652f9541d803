// Options of INP-Former (Luo et al., CVPR 2025); the defaults are the published code's.
#pragma once

#include "glint/base/options.h"

namespace glint {

/// Grid on which a convolutional backbone's layer2 and layer3 are joined to tokens. A transformer has its
/// own.
enum class TokenGrid { kLayer3, kLayer2 };
template <>
struct EnumNames<TokenGrid> {
  static constexpr std::pair<TokenGrid, std::string_view> table[] = {{TokenGrid::kLayer3, "layer3"},
                                                                     {TokenGrid::kLayer2, "layer2"}};
};

struct InpFormerOptions {
  int prototypes = 6;
  int decoder_blocks = 8;
  double coherence_weight = 0.2;
  double mining_exponent = 3;  ///< gradient factor (distance / mean distance)^this; 0 = none
  double learning_rate = 1e-3, final_learning_rate = 1e-4;
  double weight_decay = 1e-4;
  double clip_norm = 0.1;
  int warmup_steps = 100;
  int batch = 16;
  int meta_epochs = 50;  ///< published code: 200 epochs = 50 x 4
  int passes = 4;
  TokenGrid grid = TokenGrid::kLayer3;

  void describe(OptionTable& table) {
    table.add("inp_former.prototypes", prototypes, "intrinsic normal prototypes per image", {1, 256});
    table.add("inp_former.decoder_blocks", decoder_blocks, "an even number of prototype-guided blocks",
              {2, 64});
    table.add("inp_former.coherence_weight", coherence_weight, "weight of the coherence loss", {0, 100});
    table.add("inp_former.mining_exponent", mining_exponent,
              "exponent of (distance / mean distance) that scales gradients; 0 = none", {0, 20});
    table.add("inp_former.learning_rate", learning_rate, "largest step size", {0, 1});
    table.add("inp_former.final_learning_rate", final_learning_rate, "step size at the end", {0, 1});
    table.add("inp_former.weight_decay", weight_decay, "decoupled weight decay", {0, 1});
    table.add("inp_former.clip_norm", clip_norm, "largest gradient norm; 0 = no limit", {0, 1e6});
    table.add("inp_former.warmup_steps", warmup_steps, "steps from 0 to the largest step size", {1, 1000000});
    table.add("inp_former.batch", batch, "images per step", {1, 1024});
    table.add("inp_former.meta_epochs", meta_epochs, "tracker readings and resume points", {1, 100000});
    table.add("inp_former.passes", passes, "passes over the training images per meta-epoch", {1, 1000});
    table.add("inp_former.grid", grid, "where a convolutional backbone's layers are joined");
  }
};

}  // namespace glint
