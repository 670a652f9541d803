// Options of STFPM (Wang, Han, Ding, Huang, BMVC 2021); the defaults are the published ones.
#pragma once

#include "glint/base/options.h"

namespace glint {

struct StfpmOptions {
  double learning_rate = 0.4, momentum = 0.9, weight_decay = 1e-4;
  /// Of the training photographs, which do not train: the student that errs least on them is kept.
  double selection_share = 0.2;
  int batch = 32;
  int meta_epochs = 100;  ///< one look at the selection each
  int passes = 1;         ///< published: 100 passes in all

  void describe(OptionTable& table) {
    table.add("stfpm.learning_rate", learning_rate, "step size of the gradient descent", {1e-8, 100});
    table.add("stfpm.momentum", momentum, "momentum of the gradient descent", {0, 0.9999});
    table.add("stfpm.weight_decay", weight_decay, "weight decay", {0, 1});
    table.add(
        "stfpm.selection_share", selection_share,
        "share of the good training photographs that chooses the meta-epoch and does not train; 0 = the "
        "last meta-epoch is kept",
        {0, 0.9});
    table.add("stfpm.batch", batch, "images per step", {1, 1024});
    table.add("stfpm.meta_epochs", meta_epochs, "looks at the selection, tracker readings and resume points",
              {1, 100000});
    table.add(
        "stfpm.passes", passes,
        "passes over the training images per meta-epoch; meta_epochs * passes = 100 is the published length",
        {1, 1000});
  }
};

}  // namespace glint
