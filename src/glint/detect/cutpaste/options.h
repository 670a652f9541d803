// Options of CutPaste (Li, Sohn, Yoon and Pfister, CVPR 2021), three classes; the defaults of the fields are
// those of the paper, or of the re-runs with known results where the paper gives none.
#pragma once

#include "glint/base/options.h"

namespace glint {

/// How likely a vector is among those of good parts.
enum class CutPasteDensity { kGaussian, kKernel };
template <>
struct EnumNames<CutPasteDensity> {
  static constexpr std::pair<CutPasteDensity, std::string_view> table[] = {
      {CutPasteDensity::kGaussian, "gaussian"}, {CutPasteDensity::kKernel, "kernel"}};
};

/// What one vector stands for: the picture, with Grad-CAM as its map, or each of many patches.
enum class CutPasteForm { kImage, kPatches };
template <>
struct EnumNames<CutPasteForm> {
  static constexpr std::pair<CutPasteForm, std::string_view> table[] = {{CutPasteForm::kImage, "image"},
                                                                        {CutPasteForm::kPatches, "patches"}};
};

struct CutPasteOptions {
  CutPasteForm form = CutPasteForm::kImage;
  CutPasteDensity density = CutPasteDensity::kGaussian;
  double bandwidth = 1;  ///< of the kernel density, in units of vectors of length 1
  int patch = 64;        ///< side, pixels
  int stride = 4;        ///< from one patch to the next when judging, pixels
  int layers = 4;
  int hidden_layers = 1;
  double picture_jitter = 0.1;
  double learning_rate = 0.03, momentum = 0.9, weight_decay = 3e-5;
  int batch = 32;                      ///< pictures; each is in a step three times
  int meta_epochs = 100, passes = 10;  ///< 10,000 steps over 320 pictures

  void describe(OptionTable& table) {
    table.add("cutpaste.form", form,
              "what is judged: the picture (the map is Grad-CAM's), or patches of it (finer map, slower)");
    table.add("cutpaste.density", density,
              "density of good vectors: one Gaussian (Ledoit-Wolf covariance), or a kernel at each of them");
    table.add("cutpaste.bandwidth", bandwidth, "of the kernel density", {1e-3, 100});
    table.add("cutpaste.patch", patch, "side of a patch, pixels", {32, 512});
    table.add("cutpaste.stride", stride, "from one judged patch to the next, pixels (published: 4)",
              {1, 512});
    table.add("cutpaste.layers", layers, "of the ResNet-18 (published: all four)", {1, 4});
    table.add("cutpaste.hidden_layers", hidden_layers, "of the head, before its last one of 128", {0, 8});
    table.add("cutpaste.picture_jitter", picture_jitter, "change of a training picture's colours", {0, 0.5});
    table.add("cutpaste.learning_rate", learning_rate, "first step size; a cosine lowers it to 0", {0, 10});
    table.add("cutpaste.momentum", momentum, "of the gradient descent", {0, 1});
    table.add("cutpaste.weight_decay", weight_decay, "coupled weight decay", {0, 1});
    table.add("cutpaste.batch", batch, "pictures per step, each of them good, with a cut and with a scar",
              {2, 1024});
    table.add("cutpaste.meta_epochs", meta_epochs, "tracker readings and resume points", {1, 100000});
    table.add(
        "cutpaste.passes", passes,
        "passes over the training images per meta-epoch; --recipe baseline has the published length for "
        "320 images, the other recipes are short",
        {1, 1000});
  }
};

}  // namespace glint
