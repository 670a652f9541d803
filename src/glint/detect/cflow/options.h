// Options of CFLOW-AD (Gudovskiy et al., WACV 2022); the defaults of the fields are the published code's.
#pragma once

#include "glint/base/options.h"
#include "glint/detect/coupling_block.h"

namespace glint {

struct CflowOptions {
  int blocks = 8;
  int condition = 128;      ///< channels of the position code
  double hidden_ratio = 2;  ///< hidden units of a subnet over its inputs
  double clamp = 1.9;
  ClampForm clamp_form = ClampForm::kPlain;
  double learning_rate = 2e-4;
  int fibre = 256;  ///< vectors per step
  int batch = 32;   ///< images whose vectors are mixed
  int meta_epochs = 25;
  int passes = 8;  ///< published: 200 passes in all

  void describe(OptionTable& table) {
    table.add("cflow.blocks", blocks, "coupling blocks per layer", {1, 64});
    table.add("cflow.condition", condition, "channels of the position code, a multiple of 4", {4, 1024});
    table.add("cflow.hidden_ratio", hidden_ratio, "hidden units of a subnet over its inputs", {0.01, 8});
    table.add("cflow.clamp", clamp, "bound of a block's log-scale", {1e-3, 10});
    table.add("cflow.clamp_form", clamp_form,
              "clamp * tanh(a) (plain, published) or clamp * tanh(a / clamp)");
    table.add("cflow.learning_rate", learning_rate, "largest step size: a warm-up, then a cosine", {0, 1});
    table.add("cflow.fibre", fibre, "vectors per step", {1, 65536});
    table.add("cflow.batch", batch, "images whose vectors are mixed", {1, 1024});
    table.add("cflow.meta_epochs", meta_epochs, "stairs of the step size, tracker readings and resume points",
              {1, 100000});
    table.add("cflow.passes", passes,
              "passes over the training images per meta-epoch; meta_epochs * passes = 200 is the published "
              "length (--recipe baseline), the other recipes are short",
              {1, 1000});
  }
};

}  // namespace glint
