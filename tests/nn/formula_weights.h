// Weights of a torchvision network by the golden files' formula, for tests that need no weight file.
#pragma once

#include <cmath>
#include <functional>
#include <string>

#include "glint/nn/backbone_spec.h"
#include "glint/nn/tensor_dict.h"

namespace glint {

/// torchvision's state_dict order with the golden files' formula for every entry.
class FormulaWeights {
 public:
  explicit FormulaWeights(double seed) : seed_(seed) {}
  TensorDict take() { return std::move(tensors_); }
  void conv(const std::string& name, int out, int in, int kernel) {
    add(name + ".weight", {out, in, kernel, kernel},
        [=](double s) { return s * std::sqrt(4.0 / (in * kernel * kernel)); });
  }
  void norm(const std::string& name, int n) {
    add(name + ".weight", {n}, [](double s) { return 0.8 + 0.1 * s; });
    add(name + ".bias", {n}, [](double s) { return 0.1 * s; });
    add(name + ".running_mean", {n}, [](double s) { return 0.1 * s; });
    add(name + ".running_var", {n}, [](double s) { return 1 + 0.5 * s * s; });
    ++index_;  // num_batches_tracked counts, untouched
  }

 private:
  void add(const std::string& name, std::vector<std::int64_t> shape,
           const std::function<double(double)>& value) {
    std::int64_t n = 1;
    for (const std::int64_t s : shape) n *= s;
    std::vector<float> values(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) {
      values[i] =
          static_cast<float>(value(std::sin(0.37 * static_cast<double>(i) + 0.11 * index_ + 0.01 * seed_)));
    }
    tensors_[name] = from_floats(values, std::move(shape));
    ++index_;
  }
  double seed_;
  int index_ = 0;
  TensorDict tensors_;
};

inline TensorDict torchvision_weights(const BackboneSpec& spec, double seed) {
  FormulaWeights w(seed);
  w.conv("conv1", 64, 3, 7);
  w.norm("bn1", 64);
  int in = 64;
  for (int layer = 1; layer <= 3; ++layer) {
    const int width = spec.width[layer - 1], out = spec.channels(layer);
    for (int b = 0; b < spec.blocks[layer - 1]; ++b) {
      const std::string name = "layer" + std::to_string(layer) + "." + std::to_string(b);
      if (spec.bottleneck) {
        w.conv(name + ".conv1", width, in, 1);
        w.norm(name + ".bn1", width);
        w.conv(name + ".conv2", width, width, 3);
        w.norm(name + ".bn2", width);
        w.conv(name + ".conv3", out, width, 1);
        w.norm(name + ".bn3", out);
      } else {
        w.conv(name + ".conv1", out, in, 3);
        w.norm(name + ".bn1", out);
        w.conv(name + ".conv2", out, out, 3);
        w.norm(name + ".bn2", out);
      }
      if (b == 0 && (layer > 1 || in != out)) {
        w.conv(name + ".downsample.0", out, in, 1);
        w.norm(name + ".downsample.1", out);
      }
      in = out;
    }
  }
  return w.take();
}

}  // namespace glint
