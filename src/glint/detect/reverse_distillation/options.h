// Options of Reverse Distillation (Deng and Li, CVPR 2022); the defaults are the published code's.
#pragma once

#include "glint/base/options.h"

namespace glint {

struct ReverseDistillationOptions {
  double learning_rate = 5e-3, beta1 = 0.5;
  int batch = 16;
  int meta_epochs = 40;
  int passes = 5;  ///< published: 200 passes in all

  void describe(OptionTable& table) {
    table.add("reverse_distillation.learning_rate", learning_rate, "step size of Adam", {1e-8, 1});
    table.add("reverse_distillation.beta1", beta1, "Adam's decay of the mean gradient", {0, 0.9999});
    table.add("reverse_distillation.batch", batch, "images per step", {1, 1024});
    table.add("reverse_distillation.meta_epochs", meta_epochs, "tracker readings and resume points",
              {1, 100000});
    table.add("reverse_distillation.passes", passes,
              "passes over the training images per meta-epoch; meta_epochs * passes = 200 is the published "
              "length (--recipe baseline), the other recipes are short",
              {1, 1000});
  }
};

}  // namespace glint
