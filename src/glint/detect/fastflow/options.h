// Options of FastFlow (Yu et al. 2021). There is no official code; the defaults of the fields are those of
// the implementation that the published figures are compared with (gathierry/FastFlow).
#pragma once

#include "glint/base/options.h"
#include "glint/detect/coupling_block.h"

namespace glint {

/// Kernels of the subnets along a flow. alternate: 3x3 in blocks 0, 2, ..., 1x1 in the others.
enum class FlowKernels { kAll3x3, kAlternate };
template <>
struct EnumNames<FlowKernels> {
  static constexpr std::pair<FlowKernels, std::string_view> table[] = {
      {FlowKernels::kAll3x3, "all_3x3"}, {FlowKernels::kAlternate, "alternate"}};
};

struct FastFlowOptions {
  int blocks = 8;
  FlowKernels kernels = FlowKernels::kAll3x3;
  double hidden_ratio = 1;  ///< hidden channels of a subnet over the channels that it reads
  double clamp = 2;
  ClampForm clamp_form = ClampForm::kPlain;
  double learning_rate = 1e-3, weight_decay = 1e-5;
  int batch = 32;
  int meta_epochs = 50;
  int passes = 10;  ///< published: 500 passes in all

  void describe(OptionTable& table) {
    table.add("fastflow.blocks", blocks, "coupling blocks per scale", {1, 64});
    table.add("fastflow.kernels", kernels, "of the subnets' convolutions along a flow");
    table.add("fastflow.hidden_ratio", hidden_ratio, "hidden channels of a subnet over its inputs",
              {0.01, 8});
    table.add("fastflow.clamp", clamp, "bound of a block's log-scale", {1e-3, 10});
    table.add("fastflow.clamp_form", clamp_form,
              "clamp * tanh(a) (plain, published) or clamp * tanh(a / clamp)");
    table.add("fastflow.learning_rate", learning_rate, "step size", {0, 1});
    table.add("fastflow.weight_decay", weight_decay, "added to the gradients (L2)", {0, 1});
    table.add("fastflow.batch", batch, "images per step", {1, 1024});
    table.add("fastflow.meta_epochs", meta_epochs, "tracker readings and resume points", {1, 100000});
    table.add("fastflow.passes", passes,
              "passes over the training images per meta-epoch; meta_epochs * passes = 500 is the published "
              "length (--recipe baseline), the other recipes are short",
              {1, 1000});
  }
};

}  // namespace glint
