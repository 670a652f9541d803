// Options of DRAEM (Zavrtanik, Kristan and Skocaj, ICCV 2021); the defaults of the fields are the published
// code's.
#pragma once

#include "glint/base/options.h"

namespace glint {

struct DraemOptions {
  int reconstructive_width = 128, discriminative_width = 64;
  double rotated_share = 0.3;  ///< of the training pictures
  double largest_angle = 90;   ///< degrees, either way
  double learning_rate = 1e-4;
  double learning_rate_factor = 0.2;  ///< at 80 % and at 90 % of the passes
  int batch = 8;
  int meta_epochs = 70, passes = 10;  ///< published: 700 passes in all

  void describe(OptionTable& table) {
    table.add("draem.reconstructive_width", reconstructive_width,
              "channels of the reconstructive network's first block (published: 128)", {2, 256});
    table.add("draem.discriminative_width", discriminative_width,
              "channels of the discriminative network's first block (published: 64)", {2, 256});
    table.add("draem.rotated_share", rotated_share, "share of the training pictures that are turned", {0, 1});
    table.add("draem.largest_angle", largest_angle, "by how many degrees at most, either way", {0, 180});
    table.add("draem.learning_rate", learning_rate, "step size of both networks", {0, 1});
    table.add("draem.learning_rate_factor", learning_rate_factor,
              "of the step size at 80 % and at 90 % of the passes", {0, 1});
    table.add("draem.batch", batch, "images per step", {1, 1024});
    table.add("draem.meta_epochs", meta_epochs, "tracker readings and resume points", {1, 100000});
    table.add("draem.passes", passes,
              "passes over the training images per meta-epoch; meta_epochs * passes = 700 is the published "
              "length (--recipe baseline), the other recipes are short",
              {1, 1000});
  }
};

}  // namespace glint
